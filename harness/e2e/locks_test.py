"""Two runs at one board: the second is refused and names the first, or waits for it."""

import pathlib
import re
import subprocess
import unittest

import lab


def run_command(file, folder, name, *more):
    return " ".join(lab.hilmark("run", "--lab", file, "--unit", "virtual-1", "--case", "LIFE-06", "--out", f"{folder}/{name}", *more))


class Locks(unittest.TestCase):
    def among_the_boards(self, folder, script, *more):
        """A first run of virtual-1 in the background, as `$first`; then SCRIPT, once that holds the board. MORE is for that run."""
        file = lab.lab_file(folder)
        first = f"""
            {run_command(file, folder, "first", "--case", "SNI-0*", *more)} 2>{folder}/first.told &
            first=$!
            until grep -qs '"unit_started"' {folder}/first/events.jsonl; do
              kill -0 $first || exit 99
              read -t 0.02 -u 9 || true
            done 9<>{folder}/fifo
            holder=$(sed -n 's/.*"type":"unit_started".*"pid":\\([0-9]*\\).*/\\1/p' {folder}/first/events.jsonl)
            echo holder $holder
        """
        subprocess.run(["mkfifo", f"{folder}/fifo"], check=True)
        done = subprocess.run(lab.on_the_lab("bash", "-c", first + script.replace("LAB", file), lab=file),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False)
        holder = re.search(r"^holder (\d+)$", done.stdout, re.MULTILINE)
        self.assertTrue(holder, done.stderr)
        return done, holder.group(1)

    def test_without_wait_the_second_is_refused_at_once_and_names_the_first(self):
        with lab.temporary_folder() as folder:
            flash = " ".join(lab.hilmark("flash", "--lab", "LAB", "--unit", "virtual-1", lab.IMAGES / "golden.img"))
            done, holder = self.among_the_boards(folder, f"""
                {run_command("LAB", folder, "second")} 2>{folder}/run.told
                echo run $?
                {flash} 2>{folder}/flash.told
                echo flash $?
                kill -0 $first && echo the first goes on
                kill -0 $holder || echo the first was disturbed
                kill $first
                wait $first
                echo first $?
            """, "--repeat", "100")
            self.assertEqual(done.stdout.splitlines()[1:], ["run 2", "flash 2", "the first goes on", "first 143"], done.stderr)
            for command in ("run", "flash"):
                told = (pathlib.Path(folder) / f"{command}.told").read_text()
                self.assertRegex(told, rf"unit virtual-1: .* is held by pid {holder}: \S*hilmark worker virtual-1 .*--wait")
            self.assertFalse((pathlib.Path(folder) / "second").exists(), "a refused run leaves nothing")

    def test_with_wait_the_second_says_whom_it_waits_for_and_goes_on(self):
        with lab.temporary_folder() as folder:
            flash = " ".join(lab.hilmark("flash", "--lab", "LAB", "--unit", "virtual-1", lab.IMAGES / "golden.img"))
            done, holder = self.among_the_boards(folder, f"""
                {run_command("LAB", folder, "second", "--wait")} 2>{folder}/run.told &
                second=$!
                {flash} --wait 200s 2>{folder}/flash.told
                echo flash $?
                wait $second
                echo run $?
                wait $first
                echo first $?
            """)
            self.assertEqual(done.stdout.splitlines()[1:], ["flash 0", "run 0", "first 0"], done.stderr)
            for command, last in (("run", "verdicts on 1 unit"), ("flash", " runs")):
                told = (pathlib.Path(folder) / f"{command}.told").read_text()
                self.assertRegex(told, rf"hilmark: unit virtual-1 is held by pid {holder}: \S*hilmark worker virtual-1 .*; waiting for it\n")
                self.assertIn(last, told)
            first = lab.Run(f"{folder}/first", 0, "").events("unit_finished")
            second = lab.Run(f"{folder}/second", 0, "").events("unit_started")
            self.assertLessEqual(first[0]["time"], second[0]["time"], "one after the other")

    def test_the_time_of_waiting_ends(self):
        with lab.temporary_folder() as folder:
            done, holder = self.among_the_boards(folder, f"""
                {run_command("LAB", folder, "second", "--wait", "300ms")} 2>{folder}/run.told
                echo run $?
                kill -0 $first && echo the first goes on
                kill $first
                wait $first
            """, "--repeat", "100")
            self.assertEqual(done.stdout.splitlines()[1:], ["run 2", "the first goes on"], done.stderr)
            told = (pathlib.Path(folder) / "run.told").read_text()
            self.assertRegex(told, rf"held by pid {holder}: .* still, and the time for waiting is over")

    def test_a_time_that_is_none_is_told(self):
        done = subprocess.run(lab.hilmark("flash", "--wait", "golden.img", "--lab", "x", "--unit", "y"),
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "--wait: expected a time such as 90s.* got `golden.img`; put --wait after it")


if __name__ == "__main__":
    unittest.main()
