"""Runs ceph/s3-tests against the gateway and compares the result with a list of names.

The suite is a checkout that is not part of this repository; only the names of its tests are.
`features.toml` has the scope, the feature of each function, and the reason of each one that is
skipped. `pass.txt` has the functions that must pass. A function passes when it has an item that
passed and none that failed. Exit code 1 when a function of the list fails.
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
# Reason of a skipped function for which features.toml has none.
NO_REASON = "NO REASON in features.toml"
# Address for a run that only collects.
NO_SERVER = "http://127.0.0.1:9"
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
        if options.list_skipped:
            items = Suite(options, python, NO_SERVER, work).collect()
            list_skipped(*split_by_scope(items, rules, options), rules)
            return
        with server(options, work) as endpoint:
            suite = Suite(options, python, endpoint, work)
            functions, out = split_by_scope(suite.collect(), rules, options)
            outcomes = suite.run(functions, rules["scope"]["alone"])
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print_table(functions, outcomes, rules["feature"])
    print_failures(outcomes, options.report, rules)
    sys.exit(1 if compare(outcomes, out, rules, options.update) else 0)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", type=pathlib.Path, required=True, help="a checkout of s3-tests")
    parser.add_argument("--binary", type=pathlib.Path, help="the gateway; built when not given")
    parser.add_argument("-k", dest="expression", default="", help="pytest's selection by name")
    parser.add_argument("--group", action="append", help="only these groups: P1, P2, P3a, P3b")
    parser.add_argument("--update", action="store_true", help="rewrite pass.txt")
    parser.add_argument("--list-skipped", action="store_true", help="only list the functions that "
                        "are not in pass.txt, by the reason why")
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


def split_by_scope(items, rules, options):
    """Functions in scope (name → node ids) and out of scope (name → reason), in suite order."""
    functions, out = {}, {}
    for node, marks in items:
        name = node.rpartition("/")[2].partition("[")[0]
        if options.group and feature_of(name, rules["feature"])["group"] not in options.group:
            continue
        reason = out_of_scope(name, set(marks), rules["out"])
        if reason:
            out[name] = reason
        else:
            functions.setdefault(name, []).append(node)
    return functions, out


def out_of_scope(name, marks, entries):
    """The reason why a function is out of scope; empty if it is in scope."""
    file = name.partition("::")[0]
    for entry in entries:
        if entry.get("file", "test_s3.py") != file:
            continue
        if marks & set(entry.get("markers", ())) or matches(name, entry.get("names", ())):
            return entry["reason"]
        if "markers_in" in entry and not marks & set(entry["markers_in"]):
            return entry["reason"]
    return ""


def matches(name, patterns):
    """True if a pattern matches the whole name of the function."""
    function = name.partition("::test_")[2]
    return any(re.fullmatch(pattern, function) for pattern in patterns)


def feature_of(name, features):
    """The first feature whose file and patterns match the function's name."""
    file = name.partition("::")[0]
    for feature in features:
        if feature.get("file", "test_s3.py") == file and matches(name, feature["patterns"]):
            return feature
    return {"group": "?", "name": "other", "tests": 0}


def skip_reason(name, rules):
    """The reason why a function in scope is not in pass.txt."""
    for entry in rules["skipped"]:
        if matches(name, entry["names"]):
            return entry["reason"]
    return feature_of(name, rules["feature"]).get("skipped", NO_REASON)


def read_junit(path):
    """function → (passed, first finding) from pytest's XML."""
    seen = {}
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        function = case.get("name").partition("[")[0]
        name = f"{case.get('classname').rpartition('.')[2]}.py::{function}"
        passed, finding = seen.get(name, (0, ""))
        bad = [part for part in case if part.tag in ("failure", "error")]
        if bad:
            finding = finding or finding_of(bad[0])
        elif case.find("skipped") is None:
            passed += 1
        seen[name] = (passed, finding)
    return {name: (passed > 0 and not finding, finding or ("" if passed else "skipped"))
            for name, (passed, finding) in seen.items()}


def finding_of(part):
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


def print_failures(outcomes, report, rules):
    """One line for each function that did not pass: its error, and the reason if it is skipped. The
    report has all errors in full."""
    failures = {name: finding for name, (passed, finding) in outcomes.items() if not passed}
    listed = pass_list()
    print(f"\n{len(failures)} did not pass:")
    for name, finding in failures.items():
        why = "must pass" if name in listed else f"skipped: {skip_reason(name, rules)}"
        print(f"  {name:70} {finding.splitlines()[0][:150]} ({why})")
    if report:
        report.write_text("\n\n".join(f"=== {name}\n{text}" for name, text in failures.items()))


def pass_list():
    """The functions that must pass."""
    lines = PASS_LIST.read_text().splitlines() if PASS_LIST.exists() else []
    return {line for line in lines if line and not line.startswith("#")}


def by_reason(reasons):
    """Names by their reason, the most frequent reason first, from name → reason."""
    groups = {}
    for name, reason in reasons.items():
        groups.setdefault(reason, []).append(name)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def list_skipped(functions, out, rules):
    """Lists the functions that are not in pass.txt and those that are out of scope, by reason."""
    skipped = {name: skip_reason(name, rules) for name in functions if name not in pass_list()}
    for title, reasons in (("skipped", skipped), ("out of scope", out)):
        print(f"\n{len(reasons)} {title}")
        for reason, names in by_reason(reasons):
            print(f"\n{len(names):>5} {reason}")
            for name in names:
                print(f"      {name}")


def print_reasons(title, reasons):
    """The number of functions for each reason; names only where there is no reason."""
    print(f"\n{len(reasons)} {title}:")
    for reason, names in by_reason(reasons):
        print(f"{len(names):>5} {reason}{': ' + ', '.join(names) if reason == NO_REASON else ''}")


def compare(outcomes, out, rules, update):
    """Compares the result with pass.txt; returns how many listed functions failed."""
    listed = pass_list()
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
    skipped = [name for name in outcomes if name not in passed and name not in listed]
    print_reasons("out of scope", out)
    print_reasons("skipped", {name: skip_reason(name, rules) for name in skipped})
    print(f"\n{len(passed)} passed, {len(lost)} failed, {len(skipped)} skipped")
    return len(lost)


if __name__ == "__main__":
    main()
