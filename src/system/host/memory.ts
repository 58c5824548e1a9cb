/**
 * Where Linux keeps files in memory.
 *
 * @module
 */

/** Any account may write there. */
export const EVERYBODYS_MEMORY = "/dev/shm";

/** True for `/dev/shm` and `/run`, where the folders of services and sessions are, and for what is below them. */
export function isInMemory(path: string): boolean {
  return /^\/(?:dev\/shm|run)(?:\/|$)/.test(path);
}
