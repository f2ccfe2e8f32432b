#!/usr/bin/python3
"""Programs as devices, on stacks that the rig's makers did not write, without any virtual lab: golden units of their own."""

import unittest

import lab

# What each cannot be judged by; everything else it must pass.
SKIPPED = {
    "mosquitto-pub": {"SNI-04", "SNI-07", "PROV-15"},
    "openssl-client": set(),
    "openssl-client-tls12": {"SNI-05"},
    "gnutls-client": {"SNI-04", "SNI-07", "PROV-15"},
    "paho-client": {"SNI-04", "SNI-07", "PROV-15"},
}

class ProcessUnits(unittest.TestCase):
    def test_each_passes_what_it_can_run(self):
        with lab.temporary_folder() as folder:
            run = lab.run_programs(folder, lab.lab_file(folder, lab.PROCESS_LAB), timeout_s=500)
            self.assertEqual(run.status, 0, run.told())
            for unit, skipped in SKIPPED.items():
                verdicts = run.verdicts(unit)
                # What the plan skips has no event.
                self.assertEqual(set(verdicts.values()), {"pass"}, run.told())
                self.assertEqual(skipped & set(verdicts), set(), run.told())
                self.assertEqual(set(verdicts) | skipped, set(run.verdicts("openssl-client")), run.told())
            self.assertEqual({e["virtual"] for e in run.events("case_finished")}, {False})


if __name__ == "__main__":
    unittest.main()
