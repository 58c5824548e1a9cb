/** Which Deno this is. Workers bundle it: no imports. */

/** Its listings leave out names that are not UTF-8, and its watcher drops events while 16 are waiting. */
export const BEFORE_DENO_2_9 = /^2\.[0-8]\./.test(Deno.version.deno);
