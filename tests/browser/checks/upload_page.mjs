// The upload page of the examples, served by the example's server: a file, uploaded with a grant.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const SERVER = new URL("../../../examples/business-server/server.py", import.meta.url).pathname;
const PART = 8 << 20;
const KEY = randomBytes(24);
const hasBoto3 = spawnSync("python3", ["-c", "import boto3"]).status === 0;
let files = 0;

/** The example's server over the gateway, its page, and a file of random bytes. */
async function open(rig, bytes, use) {
  if (!hasBoto3) return console.log("SKIPPED: python3 with boto3 is not here");
  const bucket = `page-${(files += 1)}`;
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: rig.accessKey,
    AWS_SECRET_ACCESS_KEY: rig.secretKey,
    PARTITA: rig.endpoint,
    BUCKET: bucket,
    WEBHOOK_SECRET: `whsec_${KEY.toString("base64")}`,
  };
  const server = spawn("python3", [SERVER, "0"], { env, stdio: ["ignore", "pipe", "pipe"] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  try {
    const { value: line } = await lines.next();
    const [, origin] = line.match(/^listening on (http.*)$/);
    const context = await rig.browser.newContext();
    rig.contexts.push(context);
    const page = await context.newPage();
    page.on("dialog", (dialog) => dialog.accept());
    const sent = [];
    page.on("request", (request) => {
      const part = new URL(request.url()).searchParams.get("partNumber");
      if (request.method() === "PUT" && part) sent.push(Number(part));
    });
    await page.goto(origin);
    const content = randomBytes(bytes);
    const path = join(rig.folder, `${bucket}.bin`);
    writeFileSync(path, content);
    const said = (text) =>
      page.waitForFunction((text) => document.querySelector("#said").textContent.match(text), text);
    const progress = (share) =>
      page.waitForFunction((share) => document.querySelector("#bar").value > share, share);
    const choose = () => page.setInputFiles("#file", path);
    await use({ page, origin, bucket, content, sent, said, progress, choose, lines });
  } finally {
    server.kill();
  }
}

/** The browser sends so many bytes in a second and no more. */
async function throttle(page, bytesPerSecond) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond,
  });
}

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function uploaded(rig, bucket, content) {
  const { text } = await rig.send("GET", `/${bucket}`);
  const keys = [...text.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key);
  equal(keys.length, 1, text);
  match(keys[0], /^user42\/[0-9a-f]{16}-page-/);
  const got = await fetch(rig.presign("GET", `/${bucket}/${keys[0]}`));
  equal(hash(Buffer.from(await got.arrayBuffer())), hash(content));
}

async function openUploads(rig, bucket) {
  const { text } = await rig.send("GET", `/${bucket}?uploads`);
  return [...text.matchAll(/<UploadId>(.*?)<\/UploadId>/g)].map(([, id]) => id);
}

export default [
  ["the upload page sends a file in parts, and joins them", (rig) =>
    open(rig, 3 * PART + 5, async ({ page, bucket, content, sent, said, choose }) => {
      await choose();
      await said("Done");
      deepEqual(sent.sort(), [1, 2, 3, 4]);
      await uploaded(rig, bucket, content);
      equal(await page.evaluate(() => localStorage.length), 0);
    })],

  ["the upload page sends an empty file", (rig) =>
    open(rig, 0, async ({ bucket, content, said, choose }) => {
      await choose();
      await said("Done");
      await uploaded(rig, bucket, content);
    })],

  ["the upload page pauses and goes on", (rig) =>
    open(rig, 6 * PART, async ({ page, bucket, content, said, progress, choose }) => {
      await throttle(page, 16 << 20);
      await choose();
      await progress(0.05);
      await page.click("#pause");
      await said("Paused");
      const [id] = await openUploads(rig, bucket);
      ok(id);
      // Parts that are in flight arrive; then the progress stands still.
      await page.waitForTimeout(3000);
      const before = await page.evaluate(() => document.querySelector("#bar").value);
      ok(before < 1, `${before}`);
      await page.waitForTimeout(1000);
      equal(await page.evaluate(() => document.querySelector("#bar").value), before);
      await page.click("#resume");
      await said("Done");
      await uploaded(rig, bucket, content);
    })],

  ["after a reload the upload page sends only what is missing", (rig) =>
    open(rig, 6 * PART, async ({ page, bucket, content, sent, said, progress, choose }) => {
      await throttle(page, 8 << 20);
      await choose();
      await progress(0.7);
      const [id] = await openUploads(rig, bucket);
      await page.reload();
      const first = sent.splice(0);
      ok(first.length >= 5, `${first}`);
      await throttle(page, -1);
      await choose();
      await said("Done");
      ok(sent.length > 0 && sent.length < 6, `sent again: ${sent}`);
      deepEqual([...new Set([...first, ...sent])].sort(), [1, 2, 3, 4, 5, 6]);
      deepEqual(await openUploads(rig, bucket), [], `${id} went on`);
      await uploaded(rig, bucket, content);
    })],

  ["a cancel on the upload page leaves nothing open", (rig) =>
    open(rig, 4 * PART, async ({ page, bucket, said, progress, choose }) => {
      await throttle(page, 4 << 20);
      await choose();
      await progress(0.05);
      await page.click("#cancel");
      await said("Cancelled");
      await page.waitForFunction(() => localStorage.length === 0);
      deepEqual(await openUploads(rig, bucket), []);
    })],

  ["the example's server takes webhooks that are signed, once, and no others", (rig) =>
    open(rig, 1, async ({ origin, lines }) => {
      const body = JSON.stringify({ Records: [{
        eventName: "ObjectCreated:Put",
        s3: { bucket: { name: "b" }, object: { key: "k" } },
        opaqueData: { user: "user42" },
      }] });
      const post = async (id, seconds, signed = body) => {
        const text = `${id}.${seconds}.${signed}`;
        const signature = createHmac("sha256", KEY).update(text).digest("base64");
        const headers = {
          "webhook-id": id,
          "webhook-timestamp": String(seconds),
          "webhook-signature": `v1,AAAA v1,${signature}`,
        };
        return (await fetch(`${origin}/webhook`, { method: "POST", headers, body })).status;
      };
      const now = Math.floor(Date.now() / 1000);
      equal(await post("msg_1", now), 200);
      equal(await post("msg_1", now), 200);
      equal(await post("msg_2", now, "another body"), 401);
      equal(await post("msg_3", now - 3600), 401);
      equal(await post("msg_4", now), 200);
      const event = 'event ObjectCreated:Put b k {"user": "user42"}';
      deepEqual([(await lines.next()).value, (await lines.next()).value], [event, event]);
      equal((await fetch(`${origin}/webhook`, { method: "POST", body })).status, 401);
      const parts = { next: `/_partita/v1/grants/${"0".repeat(32)}/parts?from=1` };
      const foreign = await fetch(`${origin}/parts`, { method: "POST", body: JSON.stringify(parts) });
      equal(foreign.status, 400);
    })],
];
