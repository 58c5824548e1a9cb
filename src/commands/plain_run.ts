/**
 * How services and most people start the daemon, understood without the library for command lines: an idle daemon would keep 2 MB of it.
 */
import { SERVICE_PROGRAM } from "../services/service_program.ts";
import type { RunInput } from "./options.ts";

/** The input of `run` where the words say no more than `[run] [-c FILE] [--once]`; null for all else, which `parse()` understands. */
export function plainRun(argv: readonly string[], calledAs?: string): RunInput | null {
  if (asService(calledAs)) return null;
  let config: string | undefined;
  let once = false;
  for (let rest = argv[0] === "run" ? argv.slice(1) : argv; rest.length > 0;) {
    const [word = "", value = ""] = rest;
    if (word === "--once" && !once) {
      once = true;
      rest = rest.slice(1);
    } else if (CONFIG.includes(word) && config === undefined && value !== "" && !value.startsWith("-")) {
      config = value;
      rest = rest.slice(2);
    } else return null;
  }
  return { config, once, verbose: false, dryRun: false, logLevel: undefined };
}

/** Whether the program was called by its other name, see {@linkcode SERVICE_PROGRAM}. */
export function asService(calledAs = ""): boolean {
  return (calledAs.split(/[\\/]/).at(-1) ?? "").replace(/\.exe$/i, "") === SERVICE_PROGRAM;
}

const CONFIG: readonly string[] = ["-c", "--config"];
