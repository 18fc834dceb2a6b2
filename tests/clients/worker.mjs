// Runs the checks of one JavaScript client file: `worker.mjs CLIENT_FILE CONTEXT_FILE CHECK...`.
//
// The twin of worker.py: one JSON line for each check. A client file exports `open(context)`, which
// returns an object with one method for each check that it can do.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const [clientFile, contextFile, ...checks] = process.argv.slice(2);
const context = JSON.parse(await readFile(contextFile, "utf8"));

// Reads a fixture: `small`, `empty` or `big`.
context.data = (name) => readFile(context.files[name]);

context.expect = (condition, text) => {
  if (!condition) throw new Error(text);
};

// The bytes must be those of the fixture.
context.expectBytes = async (got, name) => {
  const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
  const want = await context.data(name);
  context.expect(
    digest(got) === digest(want),
    `${got.length} bytes that differ from the ${want.length} of ${name}`,
  );
};

// Has the rig pause the upload of a key while the client sends it.
context.paused = async (key) => {
  const script = fileURLToPath(new URL("pausing.py", import.meta.url));
  const words = [script, contextFile, key, String(context.pause_seconds)];
  return JSON.parse((await promisify(execFile)("python3", words)).stdout);
};

const client = (await import(pathToFileURL(clientFile))).open(context);
for (const check of checks) {
  const result = { check, state: "n/a", detail: "" };
  if (client[check]) {
    try {
      await client[check]();
      result.state = "ok";
    } catch (error) {
      result.state = "FAIL";
      result.detail = `${error.name}: ${error.message}`.slice(0, 900);
    }
  }
  console.log(JSON.stringify(result));
}
process.exit(0);
