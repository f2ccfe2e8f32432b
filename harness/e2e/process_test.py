#!/usr/bin/python3
"""Programs as devices, on stacks that the rig's makers did not write, without any virtual lab: golden units of their own."""

import pathlib
import unittest

import yaml

import lab

# What each cannot be judged by; everything else it must pass.
SKIPPED = {
    "mosquitto-pub": {"SNI-04", "SNI-07", "SNI-11", "PROV-14", "PROV-15"},
    "openssl-client": set(),
    "openssl-client-tls12": {"SNI-05", "SNI-11"},
    "gnutls-client": {"SNI-04", "SNI-07", "SNI-09", "SNI-11", "PROV-14", "PROV-15"},
    "paho-client": {"SNI-04", "SNI-07", "SNI-11", "PROV-14", "PROV-15"},
}
# What cannot be said of a program that is started anew to be told another endpoint; the case finds that out.
NOT_OF_PROGRAMS = {"LIFE-04", "MOVE-08"}

class ProcessUnits(unittest.TestCase):
    def test_each_passes_what_it_can_run(self):
        with lab.temporary_folder() as folder:
            run = lab.run_programs(folder, lab.lab_file(folder, lab.PROCESS_LAB), timeout_s=900)
            self.assertEqual(run.status, 0, run.told())
            for unit, skipped in SKIPPED.items():
                verdicts = run.verdicts(unit)
                # What the plan skips has no event.
                told = {case: "skip" if case in NOT_OF_PROGRAMS else "pass" for case in verdicts}
                self.assertEqual(verdicts, told, run.told())
                self.assertEqual(skipped & set(verdicts), set(), run.told())
                self.assertEqual(set(verdicts) | skipped, set(run.verdicts("openssl-client")), run.told())
            self.assertEqual({e["virtual"] for e in run.events("case_finished")}, {False})

    def test_one_that_asks_no_name_server_is_not_judged_by_it(self):
        client = pathlib.Path(__file__).with_name("dialling_client.py").resolve()
        content = {"version": 1, "cloud": {"accounts": ["111111111111", "222222222222"], "regions": ["us-east-1", "eu-west-1"]},
                   "units": [{"id": "dialler", "kind": "process", "command": [str(client)],
                              "capabilities": ["reset", "endpoint", "install", "tls13"],
                              "timing": {"connect_ms": 10000, "reconnect_max_ms": 10000, "watch_ms": 500}}]}
        with lab.temporary_folder() as folder:
            file = pathlib.Path(folder) / "dialler.yaml"
            file.write_text(yaml.safe_dump(content))
            cases = ["SNI-12", "MOVE-03", "MOVE-06", "LIFE-03"]
            run = lab.run_programs(folder, file, *(word for case in ["LIFE-06", *cases] for word in ("--case", case)))
            self.assertEqual(run.verdicts("dialler"), {"LIFE-06": "pass", **dict.fromkeys(cases, "skip")}, run.told())
            told = {e["message"] for e in run.events("case_finished") if e["verdict"] == "skip"}
            self.assertEqual(len(told), 1)
            self.assertIn("has not asked the rig's name server", told.pop())

    def test_a_program_that_ends_at_once_is_told_and_one_that_is_missing_is_refused(self):
        def judge(command):
            content = {"version": 1, "cloud": {"accounts": ["111111111111", "222222222222"], "regions": ["us-east-1"]},
                       "units": [{"id": "ends", "kind": "process", "command": [command], "capabilities": ["reset", "endpoint", "install"],
                                  "timing": {"boot_ms": 500, "connect_ms": 500, "reconnect_max_ms": 500, "watch_ms": 500}}]}
            with lab.temporary_folder() as folder:
                file = pathlib.Path(folder) / "ends.yaml"
                file.write_text(yaml.safe_dump(content))
                run = lab.run_programs(folder, file, "--case", "LIFE-06")
                return run, [e["message"] for e in run.events("case_finished")] if run.status != 2 else []

        run, messages = judge("/bin/false")
        self.assertEqual(run.status, 3, run.stderr)
        self.assertRegex(messages[0], r"its program ended by itself: exit status 1 \(evidence #\d+\)")
        run, _ = judge("/no/such/program")
        self.assertEqual(run.status, 2, run.stderr)
        self.assertIn("unit ends: there is no program /no/such/program that can be run; correct `command` in", run.stderr)


if __name__ == "__main__":
    unittest.main()
