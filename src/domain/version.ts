/** The version of the program; a test holds it to the one in `deno.json`. */

/** As shown by `--version`, `status` and the log. */
export const VERSION = "0.1.0";
