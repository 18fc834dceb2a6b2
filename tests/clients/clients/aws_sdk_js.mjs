// AWS SDK for JavaScript v3: buffers and streams, lib-storage's parallel parts, presigned URLs.
import { Readable } from "node:stream";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import * as sdk from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

export function open(context) {
  const s3 = new sdk.S3Client({ endpoint: context.endpoint, forcePathStyle: true });
  const at = (Key, more = {}) => ({ Bucket: context.bucket, Key, ...more });
  const send = (Command, input) => s3.send(new sdk[Command](input));

  const put = async (key, name) =>
    send("PutObjectCommand", at(key, { Body: await context.data(name) }));

  const read = async (key, more) => {
    const answer = await send("GetObjectCommand", at(key, more));
    return Buffer.from(await answer.Body.transformToByteArray());
  };

  const thereAndBack = async (key, name) => {
    await put(key, name);
    await context.expectBytes(await read(key), name);
  };

  return {
    async small() {
      await thereAndBack("small", "small");
      // A stream of several small pieces goes up with a checksum in a trailer.
      const data = await context.data("small");
      const pieces = Array.from({ length: 10 }, (_, i) => data.subarray(i * 100, i * 100 + 100));
      const Body = Readable.from(pieces);
      await send("PutObjectCommand", at("stream", { Body, ContentLength: data.length }));
      await context.expectBytes(await read("stream"), "small");
    },

    empty: () => thereAndBack("empty", "empty"),

    async multi() {
      const params = at("big", { Body: createReadStream(context.files.big) });
      const done = await new Upload({ client: s3, params }).done();
      context.expect(/-[0-9]+"?$/.test(done.ETag), `ETag ${done.ETag} is not of several parts`);
      await context.expectBytes(await read("big"), "big");
    },

    async pause() {
      const params = at("pause", { Body: createReadStream(context.files.huge) });
      const [met] = await Promise.all([
        context.paused("pause"),
        new Upload({ client: s3, params, queueSize: 20 }).done(),
      ]);
      const size = (await stat(context.files.huge)).size;
      const waited = met.begin === met.end && met.end < size;
      context.expect(waited, `the upload did not wait: ${JSON.stringify(met)}`);
      await context.expectBytes(await read("pause"), "huge");
    },

    key: () => thereAndBack("a b+c/é~%$&@=;:.txt", "small"),

    async range() {
      await put("range", "small");
      const got = await read("range", { Range: "bytes=100-299" });
      const want = (await context.data("small")).subarray(100, 300);
      context.expect(got.equals(want), "other bytes than 100-299");
    },

    async copy() {
      await put("from a+b", "small");
      const CopySource = `${context.bucket}/${encodeURIComponent("from a+b")}`;
      await send("CopyObjectCommand", at("copied", { CopySource }));
      await context.expectBytes(await read("copied"), "small");
    },

    async list() {
      const names = ["list/a/x", "list/a/y", "list/b/x"];
      for (const name of names) await put(name, "small");
      const input = { Bucket: context.bucket, Prefix: "list/" };
      const got = [];
      const pages = sdk.paginateListObjectsV2({ client: s3, pageSize: 2 }, { ...input });
      for await (const page of pages) {
        got.push(...page.Contents.map((entry) => entry.Key));
      }
      context.expect(`${got}` === `${names}`, `listed ${got}`);
      const answer = await send("ListObjectsV2Command", { ...input, Delimiter: "/" });
      const prefixes = answer.CommonPrefixes.map((entry) => entry.Prefix);
      context.expect(`${prefixes}` === "list/a/,list/b/", `prefixes ${prefixes}`);
    },

    async delete() {
      const names = ["delete/one", "delete/a&b <c>"];
      for (const name of names) await put(name, "small");
      const Delete = { Objects: names.map((Key) => ({ Key })) };
      const input = { Bucket: context.bucket, Delete };
      const answer = await send("DeleteObjectsCommand", input);
      context.expect(answer.Deleted.length === 2, `deleted ${JSON.stringify(answer)}`);
      const left = { Bucket: context.bucket, Prefix: "delete/" };
      const listed = await send("ListObjectsV2Command", left);
      context.expect(listed.KeyCount === 0, "keys are left");
    },

    async presign() {
      const key = "a b+c/é~%$&@=;:.signed";
      // By default the SDK puts the checksum of an empty body into such a URL.
      const signer = new sdk.S3Client({
        endpoint: context.endpoint,
        forcePathStyle: true,
        requestChecksumCalculation: "WHEN_REQUIRED",
      });
      const putUrl = await getSignedUrl(signer, new sdk.PutObjectCommand(at(key)));
      const body = await context.data("small");
      const stored = await fetch(putUrl, { method: "PUT", body });
      context.expect(stored.ok, `PUT ${stored.status}: ${await stored.text()}`);
      const url = await getSignedUrl(signer, new sdk.GetObjectCommand(at(key)));
      const answer = await fetch(url);
      await context.expectBytes(Buffer.from(await answer.arrayBuffer()), "small");
    },

    async cond() {
      await send("PutObjectCommand", at("cond", { Body: "1", IfNoneMatch: "*" }));
      try {
        await send("PutObjectCommand", at("cond", { Body: "2", IfNoneMatch: "*" }));
      } catch (error) {
        context.expect(error.name === "PreconditionFailed", `another error: ${error}`);
        return;
      }
      throw new Error("no error, PreconditionFailed was due");
    },
  };
}
