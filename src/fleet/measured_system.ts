/**
 * A system whose requests to PocketBase are told as events, for the metrics.
 *
 * @module
 */
import type { Emit } from "../domain/transfer_event.ts";
import type { System } from "../system/system.ts";

type Measurable = Pick<System, "askRemote" | "monotonic">;

/** The same system; every request is told. */
export function measured<S extends Measurable>(system: S, emit: Emit): S {
  return {
    ...system,
    async askRemote(url, question, signal) {
      const began = system.monotonic();
      const collection = /\/api\/collections\/([^/?]+)/.exec(url)?.[1] ?? /\/api\/([^/?]+)/.exec(url)?.[1] ?? "";
      const told = (result: "ok" | "error" | "unreachable") =>
        emit({ type: "pocketbase", collection, result, milliseconds: system.monotonic() - began });
      try {
        const answer = await system.askRemote(url, question, signal);
        told(answer.status < 400 ? "ok" : "error");
        return answer;
      } catch (error) {
        told("unreachable");
        throw error;
      }
    },
  };
}
