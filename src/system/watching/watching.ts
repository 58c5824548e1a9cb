/**
 * What happens to files while we look.
 *
 * @module
 */
import { openForWriting, seesEveryWriter } from "../processes/open_writers.ts";
import type { Watching } from "../system.ts";
import { watch } from "./watch.ts";

/** See `Watching`. */
export const watching: Watching = { watch, openForWriting, seesEveryWriter };
