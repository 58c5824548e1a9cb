import { assert, assertEquals } from "@std/assert";
import type { Delivery } from "../../src/domain/delivery.ts";
import { type FailureCode, failureRecord } from "../../src/domain/failure.ts";
import { verify } from "../../src/domain/receipt.ts";
import { nextState } from "../../src/delivery/carry.ts";
import { aFailure } from "../support/fake_method.ts";

const NOW = Date.UTC(2026, 0, 15);
const rules = { destination: { retryAttempts: 3, retryDelayMs: 5000 }, now: NOW, random: 0.5, once: false, stopping: false };

function aDelivery(attempts = 0): Delivery {
  const source = { job: "spring", absolutePath: "/d/a.fits", path: "a.fits", size: 5, mtimeMs: 0, ctimeMs: 0, identity: "1:1" };
  const rest = { method: "rsync", target: "a.fits", night: "20260115", queuedAt: 0 } as const;
  return { id: 1, source, destination: "nas", ...rest, attempts, state: { state: "sending", attempt: "a" } };
}

const after = (code: FailureCode, attempts = 0, changes: Partial<typeof rules> = {}) =>
  nextState(aDelivery(attempts), { failure: failureRecord(aFailure(code)) }, { ...rules, ...changes });

Deno.test("nextState() delivers with the receipt", () => {
  const receipt = verify({ bytes: 5, sha256: "ab" }, { bytes: 5, sha256: "ab" }, "checksum", NOW);
  assertEquals(nextState(aDelivery(), { receipt }, rules).state, { state: "delivered", receipt });
});

Deno.test("nextState() fails at once what no waiting mends", () => {
  const codes: FailureCode[] = [
    "source_gone",
    "source_corrupt",
    "bad_name",
    "exists",
    "skipped",
    "name_refused",
    "configuration",
  ];
  for (const code of codes) assertEquals(after(code).state.state, "failed", code);
});

Deno.test("nextState() defers an outage however often it comes, without using up attempts", () => {
  const codes: FailureCode[] = [
    "unreachable",
    "interrupted",
    "timeout",
    "disk_full",
    "read_only",
    "login_refused",
    "device_missing",
  ];
  for (const code of codes) {
    const { state, attempts } = after(code, 2);
    assertEquals([state.state, attempts], ["deferred", 2], code);
    assert(state.state === "deferred" && state.retryAt > NOW);
  }
});

Deno.test("nextState() parks what a stop has cut off, whatever the tools called it", () => {
  for (const code of ["interrupted", "unreachable", "timeout"] as const) {
    assertEquals(after(code, 1, { stopping: true }).state, { state: "queued" });
  }
  assertEquals(after("login_refused", 1, { stopping: true }).state.state, "deferred");
  assertEquals(after("mismatch", 0, { stopping: true }).state.state, "deferred");
});

Deno.test("nextState() counts the file's own failures, waits longer each time, and gives up at retry_attempts", () => {
  for (const code of ["mismatch", "source_unreadable", "internal"] as const) {
    const [first, second, third] = [after(code, 0), after(code, 1), after(code, 2)];
    assert(first.state.state === "deferred" && second.state.state === "deferred");
    assert(second.state.retryAt > first.state.retryAt);
    assertEquals([third.state.state, third.attempts], ["failed", 3], code);
  }
});

Deno.test("nextState() tries once where retry_attempts is 0", () => {
  assertEquals(after("mismatch", 0, { destination: { retryAttempts: 0, retryDelayMs: 5000 } }).state.state, "failed");
});

Deno.test("nextState() parks what a stop interrupted", () => {
  const { state, attempts } = after("stopped", 1);
  assertEquals([state.state, attempts], ["queued", 1]);
});

Deno.test("nextState() waits for the intake where the source changed, but not in a run that has to end", () => {
  assertEquals(after("source_changed", 9).state.state, "deferred");
  const { state } = after("source_changed", 2, { once: true });
  assertEquals(state.state === "failed" && state.failure.code, "superseded");
});
