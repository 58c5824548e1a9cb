/**
 * Catches errors that nothing else caught: logs them with their stack and, if the program cannot be trusted any more, stops it
 * cleanly, so that a service manager starts it again.
 *
 * @module
 */
import type { Emit } from "../../domain/transfer_event.ts";

/** Watches over the process until disposed of; `stop` is called after an uncaught error. */
export function crashGuard(emit: Emit, stop: () => void): Disposable {
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    // Known: a refused connection inside node's net surfaces here although it was handled where it was awaited.
    emit({ type: "notice", level: "error", message: "Unhandled promise rejection", error: event.reason });
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    emit({ type: "notice", level: "error", message: "Uncaught error", error: event.error });
    stop();
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  return {
    [Symbol.dispose]() {
      globalThis.removeEventListener("unhandledrejection", onRejection);
      globalThis.removeEventListener("error", onError);
    },
  };
}
