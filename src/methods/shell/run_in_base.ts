/**
 * How the questions to a remote shell are asked: as a script that runs in the destination's base path.
 *
 * @module
 */

/**
 * Runs a script in the base path and gives its output; `what` reads `Cannot <what>: …`.
 *
 * @throws {Failure} when the base path is not there, the script fails, or the connection is lost.
 */
export type RunInBase = (what: string, script: string, signal: AbortSignal) => Promise<string>;
