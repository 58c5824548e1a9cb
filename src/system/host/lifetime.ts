/**
 * Signals, the service manager, and the end.
 *
 * @module
 */
import { endAllChildren } from "../processes/launch.ts";
import { notifyServiceManager } from "./notify_service_manager.ts";
import type { Lifetime, SignalName } from "../system.ts";

/** See `Lifetime`. */
export const lifetime: Lifetime = {
  onSignal,
  notifyServiceManager,
  exit(code) {
    endAllChildren();
    Deno.exit(code);
  },
};

function onSignal(names: readonly SignalName[], handler: (name: SignalName) => void): () => void {
  const listening = names.filter((name) => WINDOWS ? name.endsWith("INT") || name.endsWith("BREAK") : name !== "SIGBREAK")
    .map((name) => ({ name, listener: () => handler(name) }));
  for (const { name, listener } of listening) Deno.addSignalListener(name, listener);
  return () => {
    for (const { name, listener } of listening.splice(0)) Deno.removeSignalListener(name, listener);
  };
}

const WINDOWS = Deno.build.os === "windows";
