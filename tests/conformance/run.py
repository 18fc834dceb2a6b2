"""Runs ceph/s3-tests against the gateway and compares the result with a list of names.

The suite is a checkout that is not part of this repository; only the names of its tests are.
`features.toml` has the scope and the feature of each function, `pass.txt` the functions that must
pass. A function passes when it has an item that passed and none that failed. Exit code 1 when a
function of the list fails.
"""

import argparse
import collections
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.parse
import xml.etree.ElementTree as ElementTree

import gateway
from install import CACHE, Recipe, install

HERE = pathlib.Path(__file__).resolve().parent
FILES = ("test_s3.py", "test_headers.py")
PASS_LIST = HERE / "pass.txt"
GATEWAY_FLAGS = ("--default-object-ownership", "ObjectWriter")
# The suite's users. The keys are public, so the server listens on the loopback address only.
USERS = {
    "main": ("SUITEMAINACCESSKEY01", "suite-main-secret-key-0123456789abcdefgh"),
    "alt": ("SUITEALTACCESSKEY002", "suite-alt-secret-key-0123456789abcdefghi"),
    "tenant": ("SUITETENANTACCESS003", "suite-tenant-secret-key-0123456789abcdef"),
}


def main():
    options = parse_options()
    rules = tomllib.loads((HERE / "features.toml").read_text())
    requirements = options.suite / "requirements.txt"
    python = install("s3-tests", Recipe(pip=(
        "-r", str(requirements), "-c", str(HERE / "constraints.txt"),
        "pytest-xdist", "pytest-timeout")), CACHE).python
    work = pathlib.Path(tempfile.mkdtemp(prefix="partita-conformance-"))
    try:
        with server(options, work) as endpoint:
            suite = Suite(options, python, endpoint, work)
            functions = in_scope(suite.collect(), rules, options)
            outcomes = suite.run(functions, rules["scope"]["alone"])
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print_table(functions, outcomes, rules["feature"])
    print_failures(outcomes, options.report)
    sys.exit(1 if compare(outcomes, options.update) else 0)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", type=pathlib.Path, required=True, help="a checkout of s3-tests")
    parser.add_argument("--binary", type=pathlib.Path, help="the gateway; built when not given")
    parser.add_argument("-k", dest="expression", default="", help="pytest's selection by name")
    parser.add_argument("--group", action="append", help="only these groups: P1, P2, P3a, P3b")
    parser.add_argument("--update", action="store_true", help="rewrite pass.txt")
    parser.add_argument("--workers", type=int, default=4, help="pytest processes")
    parser.add_argument("--test-s-max", type=int, default=120, help="time for one test")
    parser.add_argument("--day-s", type=int, default=10, help="the suite's lc_debug_interval")
    parser.add_argument("--flag", action="append", metavar="WORD", help="what the gateway is "
                        f"started with instead of {' '.join(GATEWAY_FLAGS)}")
    parser.add_argument("--report", type=pathlib.Path, help="write the failures in full here")
    parser.add_argument("--endpoint", help="a server that runs on this machine already and takes "
                        "any key, to test this runner")
    options = parser.parse_args()
    options.suite = options.suite.resolve()
    if not (options.suite / "s3tests").is_dir():
        parser.error(f"{options.suite} is no checkout of s3-tests")
    return options


@contextlib.contextmanager
def server(options, work):
    """Starts the gateway with the suite's users; gives its address."""
    if options.endpoint:
        if urllib.parse.urlsplit(options.endpoint).hostname not in ("127.0.0.1", "localhost"):
            sys.exit("--endpoint must be on this machine")
        yield options.endpoint
        return
    flags = GATEWAY_FLAGS if options.flag is None else options.flag
    one = gateway.Gateway(options.binary or gateway.build(), work / "data", flags=flags)
    with one:
        for name, (access_key, secret_key) in USERS.items():
            one.create_user(name, user_id(name), display_name(name), email(name), access_key,
                            secret_key)
        yield one.endpoint


def user_id(name):
    """An id of the form of AWS's canonical ids; the suite compares it with what Owner says."""
    return hashlib.sha256(name.encode()).hexdigest()


def display_name(name):
    return f"suite-{name}"


def email(name):
    return f"{name}@example.com"


class Suite:
    """The checkout, its configuration file and pytest."""

    def __init__(self, options, python, endpoint, work):
        self.options, self.python, self.work = options, python, work
        self.environment = os.environ | {
            "S3TEST_CONF": str(work / "suite.conf"), "PYTHONPATH": str(HERE),
            "RIG_COLLECTED": str(work / "collected.json"), "PYTHONDONTWRITEBYTECODE": "1",
            # A retry hides a wrong answer and makes each expected 5xx slow.
            "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "*",
        }
        (work / "suite.conf").write_text(configuration(endpoint, options.day_s))

    def _pytest(self, *words, **options):
        command = [self.python, "-m", "pytest", "-p", "no:cacheprovider", *words]
        return subprocess.run([str(word) for word in command], cwd=self.options.suite,
                              env=self.environment, **options)

    def collect(self):
        """The suite's items as (node id, markers)."""
        files = [f"s3tests/functional/{file}" for file in FILES]
        done = self._pytest("-p", "collect", "--collect-only", "-q", *files,
                            "-k", self.options.expression, capture_output=True, text=True)
        path = self.work / "collected.json"
        if not path.exists():
            sys.exit(f"the suite cannot be collected:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
        return json.loads(path.read_text())

    def run(self, functions, alone):
        """Runs the items; returns function → (passed, first finding)."""
        first, last = [], []
        for name, items in functions.items():
            target = last if name.partition("::test_")[2] in alone else first
            target += items
        outcomes = {}
        for run, (items, workers) in enumerate(((first, self.options.workers), (last, 0))):
            if items:
                outcomes |= self._run_items(items, workers, self.work / f"junit-{run}.xml")
        # An item without a result (a worker that ended) is a failure too.
        return {name: outcomes.get(name, (False, "no result")) for name in functions}

    def _run_items(self, items, workers, junit):
        listed = junit.with_suffix(".items")
        listed.write_text("\n".join(items))
        self._pytest("-q", "--no-header", "--tb=short", f"--timeout={self.options.test_s_max}",
                     "-n", workers, f"--junit-xml={junit}", "-o", "junit_family=xunit1",
                     "-o", "console_output_style=progress", "--show-capture=no",
                     "--no-summary", "-W", "ignore", f"@{listed}")
        return read_junit(junit)


def configuration(endpoint, day_s):
    """The suite's configuration; its IAM sections are required, but not used in scope."""
    url = urllib.parse.urlsplit(endpoint)
    lines = ["[DEFAULT]", f"host = {url.hostname}", f"port = {url.port}", "is_secure = False",
             "[fixtures]", "bucket prefix = suite-{random}-"]
    for name, (access_key, secret_key) in USERS.items():
        lines += [f"[s3 {name}]", f"user_id = {user_id(name)}",
                  f"display_name = {display_name(name)}", f"email = {email(name)}",
                  f"access_key = {access_key}", f"secret_key = {secret_key}"]
        lines += ["api_name = default", f"lc_debug_interval = {day_s}"] if name == "main" else []
        lines += ["tenant ="] if name == "tenant" else []
    for name in ("iam", "iam root", "iam alt root"):
        lines += [f"[{name}]", "email = none@example.com", "user_id = none", "display_name = none",
                  "access_key = SUITENOSUCHKEY000000", "secret_key = none"]
    return "\n".join(lines) + "\n"


def in_scope(items, rules, options):
    """Groups the items of the functions in scope: `file::function` → node ids, in suite order."""
    scope = rules["scope"]
    functions = collections.OrderedDict()
    for node, marks in items:
        name = node.rpartition("/")[2].partition("[")[0]
        file, _, function = name.partition("::test_")
        if file == "test_headers.py":
            wanted = scope["headers_marker"] in marks
        else:
            wanted = not set(marks) & set(scope["markers_out"]) and not any(
                re.fullmatch(pattern, function) for pattern in scope["names_out"])
        group = feature_of(name, rules["feature"])["group"]
        if wanted and (not options.group or group in options.group):
            functions.setdefault(name, []).append(node)
    return functions


def feature_of(name, features):
    """The first feature whose file and patterns match the function's name."""
    file, _, function = name.partition("::test_")
    for feature in features:
        if feature.get("file", "test_s3.py") == file and any(
                re.fullmatch(pattern, function) for pattern in feature["patterns"]):
            return feature
    return {"group": "?", "name": "other", "tests": 0}


def read_junit(path):
    """function → (passed, first finding) from pytest's XML."""
    seen = {}
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        function = case.get("name").partition("[")[0]
        name = f"{case.get('classname').rpartition('.')[2]}.py::{function}"
        passed, finding = seen.get(name, (0, ""))
        bad = [part for part in case if part.tag in ("failure", "error")]
        if bad:
            finding = finding or reason(bad[0])
        elif case.find("skipped") is None:
            passed += 1
        seen[name] = (passed, finding)
    return {name: (passed > 0 and not finding, finding or ("" if passed else "skipped"))
            for name, (passed, finding) in seen.items()}


def reason(part):
    """Where a test failed and how, in full text; its first line is the error's own."""
    first = (part.get("message") or part.tag).strip().partition("\n")[0]
    return f"{first}\n{(part.text or '').rstrip()}"


def print_table(functions, outcomes, features):
    """One row for each feature and a sum for each group."""
    counts = collections.Counter()
    for name in functions:
        feature = feature_of(name, features)
        counts[feature["group"], feature["name"], "run"] += 1
        counts[feature["group"], feature["name"], "passed"] += outcomes[name][0]
    print(f"\n{'':4} {'feature':52}{'passed':>7}{'run':>6}{'suite':>7}")
    for group in sorted({feature["group"] for feature in features}):
        rows = [feature for feature in features
                if feature["group"] == group and counts[group, feature["name"], "run"]]
        if not rows:
            continue
        sums = [0, 0, 0]
        for feature in rows:
            row = [counts[group, feature["name"], "passed"], counts[group, feature["name"], "run"],
                   feature["tests"]]
            sums = [total + value for total, value in zip(sums, row, strict=True)]
            print_row(group, feature["name"], row)
        print_row(group, "sum", sums)
    passed = sum(passed for passed, _ in outcomes.values())
    print_row("all", "in scope", [passed, len(functions), sum(f["tests"] for f in features)])


def print_row(group, name, numbers):
    print(f"{group:4} {name:52}{numbers[0]:>7}{numbers[1]:>6}{numbers[2]:>7}")


def print_failures(outcomes, report):
    """One line for each function that failed; everything in full in the report."""
    failures = {name: finding for name, (passed, finding) in outcomes.items() if not passed}
    print(f"\n{len(failures)} did not pass:")
    for name, finding in failures.items():
        print(f"  {name:70} {finding.splitlines()[0][:150]}")
    if report:
        report.write_text("\n\n".join(f"=== {name}\n{text}" for name, text in failures.items()))


def compare(outcomes, update):
    """Compares the result with pass.txt; returns how many listed functions failed."""
    lines = PASS_LIST.read_text().splitlines() if PASS_LIST.exists() else []
    listed = {line for line in lines if line and not line.startswith("#")}
    passed = {name for name, (good, _) in outcomes.items() if good}
    lost, gained = sorted(listed & outcomes.keys() - passed), sorted(passed - listed)
    for name in lost:
        print(f"LOST    {name}: in pass.txt, and it failed")
    for name in gained:
        print(f"GAINED  {name}: passes, and is not in pass.txt")
    if update:
        names = sorted((listed - outcomes.keys()) | passed)
        PASS_LIST.write_text("# Functions that must pass; rewritten by `run --update`.\n"
                             + "".join(f"{name}\n" for name in names))
        return 0
    # Functions that failed and are not in the list count as skipped.
    known = len(outcomes) - len(passed) - len(lost)
    print(f"\n{len(passed)} passed, {len(lost)} failed, {known} skipped")
    return len(lost)


if __name__ == "__main__":
    main()
