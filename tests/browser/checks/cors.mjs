// CORS as a browser enforces it: what a page of another origin may send and read.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";

/** Makes a bucket with these rules, in the form that the AWS CLI takes. */
async function makeBucket(rig, name, ...rules) {
  const element = (name, text) => `<${name}>${text}</${name}>`;
  const field = ([name, value]) =>
    [value].flat().map((text) => element(name.replace(/(Origin|Method|Header)s$/, "$1"), text));
  const fields = (rule) => Object.entries(rule).flatMap(field).join("");
  const inside = rules.map((rule) => element("CORSRule", fields(rule))).join("");
  await rig.send("PUT", `/${name}`);
  await rig.send("PUT", `/${name}?cors`, element("CORSConfiguration", inside));
}

const allow = (AllowedOrigins, AllowedMethods, more = {}) => ({
  AllowedOrigins,
  AllowedMethods,
  ...more,
});
const ANY_HEADER = { AllowedHeaders: "*" };
const EXPOSE = { ExposeHeaders: ["ETag", "x-amz-request-id", "x-amz-meta-song"] };

export default [
  ["a page puts and gets by presigned URLs, with headers of its own", async (rig) => {
    const { origin, fetch } = await rig.openPage();
    const more = { ...ANY_HEADER, ...EXPOSE };
    await makeBucket(rig, "own-headers", allow(origin, ["GET", "PUT"], more));
    const headers = { "content-type": "text/plain", "x-amz-meta-song": "b" };
    const url = rig.presign("PUT", "/own-headers/a", { headers });
    const put = await fetch(url, { method: "PUT", body: "from a page", headers });
    equal(put.status, 200, JSON.stringify(put));
    match(put.headers.etag, /^"[0-9a-f]{32}"$/);
    ok(put.headers["x-amz-request-id"]);
    equal(put.headers["x-amz-id-2"], undefined, "it was not exposed");
    const got = await fetch(rig.presign("GET", "/own-headers/a"));
    deepEqual([got.status, got.text], [200, "from a page"]);
    deepEqual([got.headers.etag, got.headers["x-amz-meta-song"]], [put.headers.etag, "b"]);
  }],

  ["ranges, conditions and HEAD are readable", async (rig) => {
    const { origin, fetch } = await rig.openPage();
    await makeBucket(rig, "ranges", allow(origin, ["GET", "HEAD"], { ...ANY_HEADER, ...EXPOSE }));
    const { headers } = await rig.send("PUT", "/ranges/a", "0123456789");
    const get = (headers) => fetch(rig.presign("GET", "/ranges/a"), { headers });
    const part = await get({ range: "bytes=2-4" });
    deepEqual([part.status, part.text], [206, "234"]);
    equal((await get({ range: "bytes=99-" })).status, 416);
    equal((await get({ "if-none-match": headers.get("etag") })).status, 304);
    const head = await fetch(rig.presign("HEAD", "/ranges/a"), { method: "HEAD" });
    deepEqual([head.status, head.headers.etag], [200, headers.get("etag")]);
  }],

  ["a page of another origin is blocked, also without a preflight", async (rig) => {
    const [friend, stranger] = [await rig.openPage(), await rig.openPage()];
    await makeBucket(rig, "origins", allow(friend.origin, ["GET", "PUT"], ANY_HEADER));
    await rig.send("PUT", "/origins/a", "secret");
    const url = rig.presign("GET", "/origins/a");
    equal((await friend.fetch(url)).text, "secret");
    ok((await stranger.fetch(url)).blocked);
    const put = rig.presign("PUT", "/origins/b");
    ok((await stranger.fetch(put, { method: "PUT", body: "x" })).blocked);
    equal((await friend.fetch(rig.presign("GET", "/origins/b"))).status, 404, "it was not sent");
  }],

  ["a method or a header that no rule allows is blocked before it is sent", async (rig) => {
    const { origin, fetch } = await rig.openPage();
    const more = { AllowedHeaders: "x-amz-meta-*" };
    await makeBucket(rig, "methods", allow(origin, ["GET", "PUT"], more));
    await rig.send("PUT", "/methods/a", "still there");
    ok((await fetch(rig.presign("DELETE", "/methods/a"), { method: "DELETE" })).blocked);
    equal((await fetch(rig.presign("GET", "/methods/a"))).text, "still there");
    for (const [name, allowed] of [["x-amz-meta-a", true], ["x-amz-tagging", false]]) {
      const headers = { [name]: "b=c" };
      const url = rig.presign("PUT", `/methods/${name}`, { headers });
      const put = await fetch(url, { method: "PUT", body: "", headers });
      deepEqual([name, put.blocked === undefined], [name, allowed]);
    }
  }],

  ["errors are readable: of the key, of the signature, of the address", async (rig) => {
    const { origin, fetch } = await rig.openPage();
    await makeBucket(rig, "errors", allow(origin, ["GET"]));
    const url = rig.presign("GET", "/errors/none");
    const old = rig.presign("GET", "/errors/none", { at: new Date(Date.now() - 3_600_000) });
    for (const [url_, status, code] of [
      [url, 404, "NoSuchKey"],
      [old, 403, "AccessDenied"],
      [url.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")), 403, "SignatureDoesNotMatch"],
      [`${rig.endpoint}/errors/none`, 403, "AccessDenied"],
      [`${rig.endpoint}/errors/none?torrent`, 501, "NotImplemented"],
      [`${rig.endpoint}/errors/${"k".repeat(1025)}`, 400, "KeyTooLongError"],
    ]) {
      const answer = await fetch(url_);
      equal(answer.status, status, `${url_}: ${JSON.stringify(answer)}`);
      match(answer.text, new RegExp(`<Code>${code}</Code>`));
    }
    ok((await fetch(`${rig.endpoint}/no-such-bucket/none`)).blocked);
  }],

  ["a multipart upload reads the tag of each part", async (rig) => {
    const { page, origin } = await rig.openPage();
    const more = { ...EXPOSE, MaxAgeSeconds: 60 };
    await makeBucket(rig, "multipart", allow(origin, ["PUT", "POST"], more));
    const { text } = await rig.send("POST", "/multipart/a?uploads");
    const id = text.match(/<UploadId>(.*)<\/UploadId>/)[1];
    const target = `/multipart/a?uploadId=${id}`;
    const parts = [1, 2].map((n) => rig.presign("PUT", `${target}&partNumber=${n}`));
    const complete = rig.presign("POST", target);
    const status = await page.evaluate(async ([parts, complete]) => {
      const bodies = [new Uint8Array(5 << 20).fill(65), "end"];
      const put = (url, n) => fetch(url, { method: "PUT", body: bodies[n] });
      const answers = await Promise.all(parts.map(put));
      const part = (answer, n) =>
        `<Part><PartNumber>${n + 1}</PartNumber><ETag>${answer.headers.get("etag")}</ETag></Part>`;
      const list = answers.map(part).join("");
      const body = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`;
      return (await fetch(complete, { method: "POST", body })).status;
    }, [parts, complete]);
    equal(status, 200);
    const head = await fetch(rig.presign("HEAD", "/multipart/a"), { method: "HEAD" });
    equal(head.headers.get("content-length"), String((5 << 20) + 3));
  }],

  ["what the cache holds from another kind of request does not block the page", async (rig) => {
    const { origin, fetch } = await rig.openPage();
    await makeBucket(rig, "cached", allow(origin, ["GET"], EXPOSE));
    await rig.send("PUT", "/cached/a", "picture", { "cache-control": "max-age=600" });
    const url = rig.presign("GET", "/cached/a");
    // Like an <img>: no Origin is sent, and the answer is cached.
    equal((await fetch(url, { mode: "no-cors" })).status, 0);
    equal((await fetch(url)).text, "picture");
  }],

  ["a rule for everybody serves every page, one with a star its own", async (rig) => {
    const [one, two] = [await rig.openPage(), await rig.openPage()];
    const some = allow(one.origin.replace("127.0.0.1", "*"), ["PUT"]);
    await makeBucket(rig, "everybody", allow("*", ["GET"]), some);
    await rig.send("PUT", "/everybody/a", "open");
    const [get, put] = [rig.presign("GET", "/everybody/a"), rig.presign("PUT", "/everybody/b")];
    for (const page of [one, two]) equal((await page.fetch(get)).text, "open");
    equal((await one.fetch(put, { method: "PUT", body: "x" })).status, 200);
    ok((await two.fetch(put, { method: "PUT", body: "x" })).blocked);
    // A browser refuses `*` for a request with credentials.
    ok((await one.fetch(get, { credentials: "include" })).blocked);
    const sent = await one.fetch(put, { method: "PUT", body: "x", credentials: "include" });
    equal(sent.status, 200);
  }],

  ["a bucket that the host names has its rules", async (rig) => {
    const { origin, fetch } = await rig.openPage();
    await makeBucket(rig, "by-host", allow(origin, ["GET", "PUT"], { ...ANY_HEADER, ...EXPOSE }));
    const host = `by-host.localhost:${rig.host.split(":")[1]}`;
    const headers = { "x-amz-meta-song": "c" };
    const put = rig.presign("PUT", "/a", { host, headers });
    equal((await fetch(put, { method: "PUT", body: "x", headers })).status, 200);
    equal((await fetch(rig.presign("GET", "/a", { host }))).headers["x-amz-meta-song"], "c");
    ok((await fetch(`http://other.localhost:${rig.host.split(":")[1]}/a`)).blocked);
  }],

  ["the rules that docs/cors.md recommends let a page upload", async (rig) => {
    const docs = readFileSync(new URL("../../../docs/cors.md", import.meta.url), "utf8");
    const [, json] = docs.match(/```json\n([^`]*)```/);
    const { origin, fetch } = await rig.openPage();
    const { CORSRules: [rule] } = JSON.parse(json.replace("https://app.example.com", origin));
    await makeBucket(rig, "recommended", rule);
    const headers = { "x-amz-checksum-crc32": "AAAAAA==", "content-type": "text/plain" };
    const url = rig.presign("PUT", "/recommended/a", { headers });
    const put = await fetch(url, { method: "PUT", body: "", headers });
    deepEqual([put.status, put.headers["x-amz-checksum-crc32"]], [200, "AAAAAA=="]);
    ok(put.headers.etag && put.headers["x-amz-request-id"]);
    const gone = rig.presign("DELETE", "/recommended/a");
    equal((await fetch(gone, { method: "DELETE" })).status, 204);
  }],

  ["rules that are gone block at once", async (rig) => {
    const { origin, fetch } = await rig.openPage();
    await makeBucket(rig, "gone", allow(origin, ["GET"]));
    await rig.send("PUT", "/gone/a", "x");
    const url = rig.presign("GET", "/gone/a");
    // The browser's cache would answer otherwise.
    equal((await fetch(url, { cache: "no-store" })).status, 200);
    await rig.send("DELETE", "/gone?cors");
    ok((await fetch(url, { cache: "no-store" })).blocked);
  }],
];
