// The argument of a check: a gateway, presigned URLs for it, and pages of any origin.

import { spawn } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const REGION = "us-east-1";

export class Rig {
  constructor(browser) {
    this.browser = browser;
    this.servers = [];
    this.contexts = [];
    this.accessKey = "RIG" + randomBytes(8).toString("hex").toUpperCase();
    this.secretKey = randomBytes(24).toString("hex");
  }

  /** Starts the gateway on a free port; `<bucket>.localhost` names a bucket too. */
  async start(binary) {
    this.folder = mkdtempSync(join(tmpdir(), "partita-browser-"));
    const data = join(this.folder, "data");
    const quiet = ["--access-log", "false", "--log-level", "error"];
    const flags = ["--listen", "127.0.0.1:0", "--domain", "localhost", ...quiet];
    const env = {
      ...process.env,
      PARTITA_ROOT_ACCESS_KEY_ID: this.accessKey,
      PARTITA_ROOT_SECRET_ACCESS_KEY: this.secretKey,
    };
    const stdio = ["ignore", "pipe", "inherit"];
    this.process = spawn(binary, ["serve", "--data", data, ...flags], { env, stdio });
    this.process.on("error", (error) => console.log(error.message));
    for await (const line of createInterface({ input: this.process.stdout })) {
      const found = line.match(/^listening on (http:\/\/(.*))$/);
      if (found) {
        [, this.endpoint, this.host] = found;
        this.process.stdout.resume();
        return;
      }
    }
    throw new Error("the gateway did not start");
  }

  async stop() {
    await this.closePages();
    if (this.process?.exitCode === null && this.process.signalCode === null) {
      const ended = new Promise((done) => this.process.once("exit", done));
      this.process.kill();
      await ended;
    }
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
  }

  /** A page of a new origin. `respond` may serve more than an empty page. */
  async openPage(respond = (_request, response) => response.end("<!doctype html>")) {
    const server = createServer((request, response) => {
      response.setHeader("content-type", "text/html");
      respond(request, response);
    });
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    this.servers.push(server);
    const context = await this.browser.newContext();
    this.contexts.push(context);
    const page = await context.newPage();
    const origin = `http://127.0.0.1:${server.address().port}`;
    await page.goto(`${origin}/`);
    return { page, origin, fetch: (url, init) => fetchIn(page, url, init) };
  }

  async closePages() {
    for (const context of this.contexts.splice(0)) await context.close();
    for (const server of this.servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  }

  /** A URL with a SigV4 signature. `target` is path and query; all `headers` are signed. */
  presign(method, target, { headers = {}, host = this.host, at = new Date(), seconds = 300 } = {}) {
    const [path, given = ""] = target.split("?");
    const date = at.toISOString().replace(/[-:]|\.\d+/g, "");
    const scope = `${date.slice(0, 8)}/${REGION}/s3/aws4_request`;
    const signed = Object.entries({ ...headers, host })
      .map(([name, value]) => [name.toLowerCase(), value])
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const names = signed.map(([name]) => name).join(";");
    const query = [
      ...new URLSearchParams(given),
      ["X-Amz-Algorithm", "AWS4-HMAC-SHA256"],
      ["X-Amz-Credential", `${this.accessKey}/${scope}`],
      ["X-Amz-Date", date],
      ["X-Amz-Expires", String(seconds)],
      ["X-Amz-SignedHeaders", names],
    ]
      .map((pair) => pair.map(escape).join("="))
      .sort()
      .join("&");
    const lines = signed.map(([name, value]) => `${name}:${value}\n`).join("");
    const request = [method, path, query, lines, names, "UNSIGNED-PAYLOAD"].join("\n");
    const hash = createHash("sha256").update(request).digest("hex");
    const key = ["s3", "aws4_request"].reduce(hmac, this.#keyOf(date));
    const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash}`).toString("hex");
    return `http://${host}${path}?${query}&X-Amz-Signature=${signature}`;
  }

  #keyOf(date) {
    return hmac(hmac(`AWS4${this.secretKey}`, date.slice(0, 8)), REGION);
  }

  /** Sends a request without the browser, and expects a 2xx. */
  async send(method, target, body, headers = {}) {
    const url = this.presign(method, target, { headers });
    const answer = await fetch(url, { method, body, headers });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${text}`);
    return { headers: answer.headers, text };
  }
}

/** The answer that a script in the page sees, or `blocked` with the browser's message. */
function fetchIn(page, url, init = {}) {
  return page.evaluate(
    async ([url, { bytes, ...init }]) => {
      if (bytes !== undefined) init.body = new Uint8Array(bytes);
      try {
        const answer = await fetch(url, init);
        const text = await answer.text();
        return { status: answer.status, headers: Object.fromEntries(answer.headers), text };
      } catch (error) {
        return { blocked: error.message };
      }
    },
    [url, init],
  );
}

function hmac(key, text) {
  return createHmac("sha256", key).update(text).digest();
}

function escape(text) {
  const code = (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase();
  return encodeURIComponent(text).replace(/[!'()*]/g, code);
}
