/** What the ledger promises of the times at which destinations could be delivered to. */
import { assertEquals } from "@std/assert";
import { anAdmission, NOW, proven } from "../makers.ts";
import type { Check } from "./conformance.ts";

const DAY = 86_400_000;

export const AVAILABILITY: readonly Check[] = [
  {
    name: "availability() tells what was noted in a time, after the last note before it of each place",
    run({ ledger, read }) {
      ledger.noteRunning(NOW);
      ledger.noteState("spring", "nas", "on_hold", NOW + 1);
      ledger.noteState("spring", "freya", "backing_off", NOW + 2);
      ledger.noteState("spring", "nas", "open", NOW + 3);
      ledger.noteState("spring", "freya", "open", NOW + 9);
      using reader = read();
      const told = reader.availability(NOW + 3, NOW + 9).map(({ at, destination, state }) => [at - NOW, destination, state]);
      assertEquals(told, [[0, "", "running"], [1, "nas", "on_hold"], [2, "freya", "backing_off"], [3, "nas", "open"]]);
      assertEquals(ledger.availability(0, NOW), []);
    },
  },
  {
    name: "noteRunning() notes that the former daemon was lost, at the last thing that it recorded",
    run({ ledger }) {
      const states = () => ledger.availability(0, NOW + DAY).map(({ at, state }) => [at - NOW, state]);
      ledger.noteRunning(NOW);
      const [a] = ledger.admit([anAdmission("a")], NOW + 5);
      ledger.record([proven(a!, undefined, NOW + 7)], NOW + 7);
      ledger.noteRunning(NOW + 60);
      assertEquals(states(), [[0, "running"], [7, "lost"], [60, "running"]]);
      ledger.noteStopped(NOW + 70);
      ledger.noteRunning(NOW + 80);
      assertEquals(states().slice(3), [[70, "stopped"], [80, "running"]]);
    },
  },
  {
    name: "noteRunning() forgets what is older than 90 days",
    run({ ledger }) {
      ledger.noteState("spring", "nas", "on_hold", NOW);
      ledger.noteState("spring", "nas", "open", NOW + 2 * DAY);
      ledger.noteRunning(NOW + 91 * DAY);
      assertEquals(ledger.availability(0, NOW + 100 * DAY).map(({ state }) => state), ["open", "running"]);
    },
  },
  {
    name: "lastAdmitted() tells when the last files of all jobs came, newest first",
    run({ ledger }) {
      ["a", "b", "c"].forEach((name, i) => ledger.admit([anAdmission(name)], NOW + i));
      assertEquals(ledger.lastAdmitted(2), [{ job: "spring", at: NOW + 2 }, { job: "spring", at: NOW + 1 }]);
    },
  },
];
