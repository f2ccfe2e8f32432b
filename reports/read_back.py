"""Reads a JUnit file as junitparser does and prints what it counted itself; ends 1 where the file says otherwise."""
import sys

from junitparser import Error, Failure, JUnitXml, Skipped

report = JUnitXml.fromfile(sys.argv[1])
suites = cases = failures = errors = skipped = 0
for suite in report:
    suites += 1
    counts = [0, 0, 0, 0]
    for case in suite:
        counts[0] += 1
        for result in case.result:
            counts[1] += isinstance(result, Failure)
            counts[2] += isinstance(result, Error)
            counts[3] += isinstance(result, Skipped)
    if counts != [suite.tests, suite.failures, suite.errors, suite.skipped]:
        sys.exit(f"suite {suite.name}: says {[suite.tests, suite.failures, suite.errors, suite.skipped]}, holds {counts}")
    cases, failures, errors, skipped = (a + b for a, b in zip((cases, failures, errors, skipped), counts))
if [cases, failures, errors, skipped] != [report.tests, report.failures, report.errors, report.skipped]:
    sys.exit("the counts of the whole file are wrong")
print(f"{suites} suites, {cases} cases, {failures} failures, {errors} errors, {skipped} skipped")
