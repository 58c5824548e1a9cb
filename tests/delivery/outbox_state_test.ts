import { assertEquals } from "@std/assert";
import type { DestinationState } from "../../src/domain/delivery.ts";
import { failureRecord } from "../../src/domain/failure.ts";
import {
  type Connection,
  destinationState,
  held,
  sameForPeople,
  startOf,
  type Suspension,
} from "../../src/delivery/destination_context.ts";
import { aFailure } from "../support/fake_method.ts";

const OPEN = { state: "open" } as const;
const AWAY: DestinationState = { state: "backing_off", until: 5000, failure: failureRecord(aFailure("unreachable")) };
const FULL: DestinationState = { state: "on_hold", until: 5000, failure: failureRecord(aFailure("disk_full")) };
const LOOP = failureRecord(aFailure("loop"));

const NONE: Suspension = { state: "none" };
const PAUSED: Suspension = { state: "paused", by: "ann" };
const CLOSED: Connection = { state: "closed" };
const CONNECTED = { state: "open", end: () => {}, session: {} } as unknown as Connection;

Deno.test("destinationState() says first what a person or a loop forbids, then what the destination itself says", () => {
  const shown = (suspension: Suspension) =>
    destinationState({ suspension, opening: OPEN, connection: CLOSED, announced: OPEN }, FULL, AWAY, 9);
  assertEquals(shown(PAUSED), { state: "paused", by: "ann" });
  assertEquals(shown({ state: "on_hold", failure: LOOP }), { state: "on_hold", failure: LOOP, until: 9 });
  assertEquals(shown(NONE), FULL);
});

Deno.test("destinationState() shows what happened to another destination on the host only while no session is open", () => {
  const shown = (connection: Connection) =>
    destinationState({ suspension: NONE, opening: OPEN, connection, announced: OPEN }, OPEN, AWAY, 9);
  assertEquals([shown(CLOSED), shown(CONNECTED)], [AWAY, OPEN]);
});

Deno.test("destinationState() shows what the schedule closes, unless a person has something to do", () => {
  const closed = { state: "closed", until: 5000 } as const;
  const shown = (own: DestinationState, suspension: Suspension = NONE) =>
    destinationState({ suspension, opening: closed, connection: CLOSED, announced: OPEN }, own, OPEN, 9);
  assertEquals([shown(OPEN), shown(AWAY), shown(FULL)], [closed, closed, FULL]);
  assertEquals(shown(OPEN, PAUSED), { state: "paused", by: "ann" });
});

Deno.test("held() leaves a pause what it is", () => {
  assertEquals([held(NONE, LOOP), held(PAUSED, LOOP)], [{ state: "on_hold", failure: LOOP }, PAUSED]);
});

Deno.test("startOf() remembers a pause, and that an earlier process may have left something", () => {
  const state = startOf({ pausedBy: "ann", contacted: true, method: "sftp" });
  assertEquals([state.suspension, state.staging, state.known.method], [PAUSED, "former", "sftp"]);
  const fresh = startOf({ pausedBy: null, contacted: false, method: "sftp" });
  assertEquals([fresh.suspension, fresh.staging], [NONE, "empty"]);
});

Deno.test("sameForPeople() takes the time of the next probe for no news, another failure for news", () => {
  assertEquals(sameForPeople(AWAY, { ...AWAY, until: 9000 }), true);
  assertEquals(sameForPeople(FULL, { ...FULL, failure: LOOP }), false);
  assertEquals(sameForPeople({ state: "paused", by: "ann" }, { state: "paused", by: "bob" }), false);
});
