#!/usr/bin/python3
"""The golden firmware passes every case on every board, and the report says so, marked virtual."""

import subprocess
import unittest
import xml.etree.ElementTree as ElementTree

from junitparser import JUnitXml

import lab

# What a board cannot be judged by, by the plan; every other case it must pass.
SKIPPED = {
    "virtual-1": {"SNI-04", "SNI-07", "SNI-11", "PROV-14", "PROV-15"},
    "virtual-2": {"SNI-04", "SNI-07", "SNI-11", "PROV-14", "PROV-15"},
    "virtual-3": {"SNI-04", "SNI-05", "SNI-07", "SNI-11", "PROV-14", "PROV-15"},
}
ROUNDS = 2


class Golden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = lab.temporary_folder()
        cls.run_ = lab.run(cls.temporary.name, "--repeat", str(ROUNDS), timeout_s=900)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_every_case_passes_on_every_unit_in_every_round(self):
        self.assertEqual(self.run_.status, 0, self.run_.told())
        finished = self.run_.events("case_finished")
        planned = {event["unit"]: {case["case"] for case in event["cases"]} for event in self.run_.events("unit_planned")}
        self.assertEqual(set(planned), set(SKIPPED))
        for unit, skipped in SKIPPED.items():
            judged = [event["case"] for event in finished if event["unit"] == unit]
            self.assertEqual(set(judged), planned[unit] - skipped, self.run_.told())
            self.assertEqual(len(judged), ROUNDS * len(planned[unit] - skipped), self.run_.told())
        self.assertEqual({event["verdict"] for event in finished}, {"pass"}, self.run_.told())

    def test_everything_is_marked_virtual(self):
        for event in self.run_.events():
            if "unit" in event:
                self.assertIs(event["virtual"], True, event)
        report = ElementTree.parse(self.run_.folder / "junit.xml")
        for case in report.iter("testcase"):
            properties = {p.get("name"): p.get("value") for p in case.iter("property")}
            self.assertEqual(properties.get("virtual"), "true", ElementTree.tostring(case)[:300])

    def test_the_report_is_valid_and_other_tools_read_it(self):
        junit = self.run_.folder / "junit.xml"
        subprocess.run(["xmllint", "--noout", "--schema", "reports/junit.xsd", junit], check=True, capture_output=True)
        # What the plan skips stands there once, whatever the rounds.
        expected = sum(1 if case["skip"] else ROUNDS for event in self.run_.events("unit_planned") for case in event["cases"])
        self.assertEqual(sum(suite.tests for suite in JUnitXml.fromfile(str(junit))), expected)

    def test_the_report_is_made_from_the_events_alone(self):
        again = self.run_.folder / "again.xml"
        subprocess.run(lab.hilmark("report", "junit", self.run_.folder / "events.jsonl", "--output", again), check=True)
        self.assertEqual(again.read_bytes(), (self.run_.folder / "junit.xml").read_bytes())

    def test_no_key_is_in_any_event(self):
        self.assertNotIn("PRIVATE KEY", (self.run_.folder / "events.jsonl").read_text())


class MixedLab(unittest.TestCase):
    def test_an_image_goes_to_the_boards_of_its_chip(self):
        with lab.temporary_folder() as folder:
            run = lab.run(folder, "--case", "SNI-01", "--case", "LIFE-06", "--firmware", lab.IMAGES / "stm32f4/no-sni.img")
            verdicts = {unit: run.verdicts(unit)["SNI-01"] for unit in ("virtual-1", "virtual-2", "virtual-3")}
            self.assertEqual(verdicts, {"virtual-1": "pass", "virtual-2": "pass", "virtual-3": "fail"}, run.told())


if __name__ == "__main__":
    unittest.main()
