/** The real system, put together. */
import { clock } from "./host/clock.ts";
import { files } from "./files/files.ts";
import { processes } from "./processes/processes.ts";
import { serving } from "./host/serving.ts";
import { createSurroundings, lifetime, terminal } from "./host/surroundings.ts";
import type { System } from "./system.ts";
import { openForWriting, seesEveryWriter } from "./processes/open_writers.ts";
import { createWatch } from "./watching/watch.ts";

/** Everything the daemon needs of the operating system. */
export function createSystem(): System {
  return {
    ...clock,
    ...files,
    ...createWatch(),
    openForWriting,
    seesEveryWriter,
    ...processes,
    ...createSurroundings(),
    ...serving,
    ...terminal,
    ...lifetime,
  };
}
