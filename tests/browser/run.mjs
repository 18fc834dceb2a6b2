// Runs the checks against one gateway and one browser, prints each, exits 1 when one fails.

import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { Rig } from "./rig.mjs";

const HERE = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const REPO = join(HERE, "../..");
const CHECK_SECONDS_MAX = 30;

/** The options of the command line; an unknown one ends the run with one line. */
function parseOptions() {
  try {
    return parseArgs({ options: { binary: { type: "string" }, only: { type: "string" } } }).values;
  } catch (error) {
    console.error(`${error.message}\nTry tests/browser/run --help.`);
    process.exit(2);
  }
}

const options = parseOptions();

function built() {
  execFileSync("cargo", ["build", "--bin", "partita"], { cwd: REPO, stdio: "inherit" });
  return join(process.env.CARGO_TARGET_DIR ?? join(REPO, "target"), "debug/partita");
}

/** The check, or an error when it does not end in time. */
function inTime(check) {
  return new Promise((done, failed) => {
    const late = () => failed(new Error(`not done after ${CHECK_SECONDS_MAX} s`));
    const timer = setTimeout(late, CHECK_SECONDS_MAX * 1000);
    check.then(done, failed).finally(() => clearTimeout(timer));
  });
}

async function main() {
  const require = createRequire(join(REPO, "target/browser/package.json"));
  const { chromium } = require("playwright-core");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM });
  const rig = new Rig(browser);
  let [passed, failed] = [0, 0];
  try {
    await rig.start(options.binary ?? built());
    console.log(`Chromium ${browser.version()}, ${rig.endpoint}`);
    for (const file of readdirSync(join(HERE, "checks")).sort()) {
      if (options.only && file !== `${options.only}.mjs`) continue;
      const { default: checks } = await import(`./checks/${file}`);
      for (const [sentence, check] of checks) {
        try {
          await inTime(check(rig));
          passed += 1;
          console.log(`ok      ${sentence}`);
        } catch (error) {
          failed += 1;
          console.log(`FAILED  ${sentence}\n${error.message}`.replaceAll("\n", "\n        "));
        } finally {
          await rig.closePages();
        }
      }
    }
  } finally {
    await rig.stop();
    await browser.close();
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

process.exitCode = await main();
