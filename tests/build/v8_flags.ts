/**
 * How the engine keeps its memory: it collects often rather than let garbage pile up, as this program runs for months beside
 * other programs on a small computer. Measured with 100,000 files of backlog: a third less memory for a little more processor time.
 */

/**
 * For `--v8-flags`: the young generation at most 3 × 2 MB, in each Worker as well (15 MB less than with 4 MB, for 8 % more processor time of a
 * backlog), the old one at most 30 % more than what is in use. Optimizing compilers see only what is called 10,000 times, by default 400 times:
 * an idle daemon never loads them (3.5 MB less), and 1,500 files cost the same. What parsing took is given back (2 MB less).
 * What a collection finds not called since the last one is compiled again when it is called (1.5 MB less): most is called at the start only.
 */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=2,--heap-growing-percent=30," +
  "--invocation-count-for-maglev=10000,--invocation-count-for-turbofan=30000,--managed-zone-memory,--bytecode-old-age=1";
