/**
 * What is said of a file whose name is not UTF-8: Deno cannot open it under any name.
 *
 * @module
 */

/** The reason, as in `"night/???.fits" was left out: its name is not valid UTF-8`. */
export const NOT_UTF8 = "its name is not valid UTF-8";
