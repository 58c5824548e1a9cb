/** What is said of a text that is no YAML or no TOML: the one mistake in it, in plain words, at the place to correct. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, parseSettings } from "../../../src/config/read/parse_settings.ts";
import { aComputer } from "../a_computer.ts";

/** Lines 1 to 3. */
const BASE = "watch_path: /data\nremote_host: freya\nremote_base_path: /images\n";
const TOML_BASE = 'watch_path = "/data"\nremote_host = "freya"\nremote_base_path = "/images"\n';
const INDENTED = "the keys of one section begin in the same column, and this line is indented differently";
const OWN_LINE = 'put the value in quotes, or what follows on a line of its own: ": " makes a key of what is before it';
const MORE = "more follows after the end of this value; put all of it in quotes of one kind, or on a line of its own";

const YAML: readonly (readonly [what: string, text: string, error: string])[] = [
  ["no colon at the beginning", "watch_path /data\nremote_host: freya\n", '1:1: no ":" after watch_path'],
  ["no colon", "watch_path: /data\nremote_host freya\nremote_base_path: /images\n", '2:1: no ":" after remote_host'],
  ["no colon at the end", "watch_path: /data\nremote_base_path /images\n", '2:1: no ":" after remote_base_path'],
  ["no colon anywhere", "watch_path /data\n", '1:1: no ":" after watch_path'],
  ["no colon in a section", `${BASE}web:\n  listen 127.0.0.1:1\n  metrics: true\n`, '5:3: no ":" after listen'],
  [
    "no colon after what may be a secret",
    `${BASE}web:\n  token:\n    hunter2 hunter2\n    more: x\n`,
    '6:5: no ":" in this line',
  ],
  ["no space after the colon", "watch_path: /data\nremote_host:freya\n", '2:1: no space after the ":" of remote_host'],
  [
    "a bracket that is not closed",
    `${BASE}\nfile_patterns: ["*.fits", "*.fit"\nexclude_patterns: ["x"]\n`,
    "5:16: [ is not closed",
  ],
  ["a bracket that is not closed at the end", `${BASE}file_patterns: ["*.fits"`, "4:16: [ is not closed"],
  ["a brace that is not closed", `web: {listen: "127.0.0.1:1"\n${BASE}`, "1:6: { is not closed"],
  ["a brace in a list", "destinations:\n- {remote_host: a, remote_base_path: /x\n- {remote_host: b}\n", "2:3: { is not closed"],
  ["a bracket in a hook", "hooks:\n  - on: [failed\n    url: https://x\n", "2:9: [ is not closed"],
  [
    "a list that is not indented",
    'watch_path: /data\nfile_patterns: [\n"*.fits"\n]\n',
    "3:1: what is between brackets must be indented further than its key",
  ],
  [
    "braces around everything, not closed",
    "{ watch_path: /data, remote_host: freya\nremote_base_path: /x\n",
    "1:1: { is not closed",
  ],
  ["a list without brackets", `${BASE}file_patterns: "*.fits", "*.fit"\n`, "4:24: a list needs brackets around it, like [a, b]"],
  [
    "no value",
    "watch_path:\nremote_host: freya\nremote_base_path: /images\n",
    '1:1: "watch_path" has no value; add one or remove the line',
  ],
  ["a bracket too many", `${BASE}file_patterns: ["*.fits"]]\n`, "4:26: a ] too many"],
  ["a comma that is missing", '{"watch_path": "/data" "remote_host": "freya"}', "1:24: a comma is missing before this"],
  ["a quote that is not closed", `watch_path: "/data\nremote_host: freya\n`, '1:13: " is not closed'],
  ["a quote that another one closes", `watch_path: "/data\nremote_host: "freya"\n`, '1:13: " is not closed'],
  ["an apostrophe that is not closed", `${BASE}remote_user: 'x\n`, "4:14: ' is not closed"],
  ["an apostrophe in apostrophes", "watch_path: /data\nremote_host: 'it's'\n", `2:18: ${MORE}`],
  ["a value after a value", `${BASE}remote_user: "freya" x\n`, `4:22: ${MORE}`],
  ["a placeholder without quotes", `${BASE}layout: {night}/{path}\n`, `4:16: ${MORE}`],
  [
    "a placeholder alone",
    `${BASE}layout: {path}\n`,
    '4:1: "layout" must be text, not a section, which { begins; put the value in quotes',
  ],
  ["two keys in a line", "watch_path: /data, remote_host: freya\n", `1:13: ${OWN_LINE}`],
  ["a colon in a value", `${BASE}remote_user: a: b\n`, `4:14: ${OWN_LINE}`],
  ["a key that is indented", "watch_path: /data\n remote_host: freya\n", `2:2: ${INDENTED}`],
  ["the last key, indented", "watch_path: /data\nremote_host: freya\n  remote_base_path: /images\n", `3:3: ${INDENTED}`],
  ["a key that is indented less", "jobs:\n  - name: a\n    watch_path: /a\n   remote_host: freya\n", `4:4: ${INDENTED}`],
  ["a key that is indented further", "jobs:\n  - name: a\n    watch_path: /a\n     remote_host: freya\n", `4:6: ${INDENTED}`],
  ["a dash that is indented further", "jobs:\n- name: a\n  watch_path: /a\n - name: b\n", `4:2: ${INDENTED}`],
  ["a key below a dash", "destinations:\n  - remote_host: freya\n  remote_base_path: /x\n", `3:3: ${INDENTED}`],
  [
    "a value that goes on",
    "watch_path: /data\n - x\n",
    "1:13: this value continues on the next line; indent that line like the other keys, or put the value in quotes",
  ],
  ["a tab", "web:\n\tlisten: x\n", "2:1: YAML cannot be indented with tabs; use spaces"],
  [
    "a pattern without quotes",
    `${BASE}file_patterns:\n  - *.fits\n`,
    "5:5: a value that begins with * must be in quotes",
  ],
  ["a value that begins with @", `${BASE}remote_user: @foo\n`, "4:14: a value cannot begin with @; put it in quotes"],
  ["a value that begins with %", `watch_path: %USERPROFILE%\\x\n`, "1:13: a value cannot begin with %; put it in quotes"],
  ["a value that begins with >", `watch_path: >/data\n`, "1:13: a value cannot begin with >; put it in quotes"],
  ["a comment of C", `// camera\nwatch_path: /data\n`, "1:1: comments begin with #"],
  ["a comment of INI", `; camera\nwatch_path: /data\n`, "1:1: comments begin with #"],
  [
    "TOML",
    '# camera\nwatch_path = "/data"\nremote_host = "freya"\n',
    "2:1: this is TOML; give the file a name that ends in .toml",
  ],
  ["TOML with a table", '[web]\nlisten = "127.0.0.1:1"\n', "1:1: this is TOML; give the file a name that ends in .toml"],
  ["no value of a key in braces", `${BASE}schedule: {interval 5m}\n`, '4:12: "interval 5m" has no value; no ":" after interval'],
];

const TOML: typeof YAML = [
  ["YAML", BASE, "1:1: this is YAML; give the file a name that ends in .yaml"],
  ["a value without quotes", 'watch_path = "/data"\nremote_host = freya\n', "2:15: put the value in quotes"],
  ["no value", 'watch_path =\nremote_host = "freya"\n', "1:13: a value is missing"],
  ["a unit without quotes", `${TOML_BASE}min_file_age_seconds = 2s\n`, "4:25: put the value in quotes"],
  ["a bracket that is not closed at the end", `${TOML_BASE}file_patterns = ["*.fits",\n`, "4:17: [ is not closed"],
  ["a bracket that is not closed behind a comma", 'file_patterns = ["*.fits",\nremote_host = "freya"\n', "1:17: [ is not closed"],
  ["a word for true", `${TOML_BASE}recursive = True\n`, "4:13: write true or false, in small letters"],
  ["typographic quotes", "watch_path = “/data”\n", '1:14: “ is a typographic quote; write "'],
  ["a quote that is not closed", 'watch_path = "/data\nremote_host = "freya"\n', '1:14: " is not closed'],
  ["a bracket that is not closed", 'file_patterns = ["*.fits", "*.fit"\nremote_host = "freya"\n', "1:17: [ is not closed"],
  ["a comma that is missing", 'file_patterns = ["*.fits" "*.fit"]\n', "1:27: a comma is missing before this"],
  ["a table that is not closed", '[web\nlisten = "x"\n', "1:1: [ is not closed"],
  ["a list of tables that is not closed", '[[jobs]\nname = "x"\n', "1:1: [[ needs ]] at the end of the line"],
  ["no equals sign", 'watch_path "/data"\n', '1:1: no "=" after watch_path'],
  ["more after a value", 'watch_path = "/data"x\nremote_host = "freya"\n', `1:21: ${MORE}`],
  ["a quote too many", 'watch_path = "/data""\nremote_host = "freya"\n', `1:22: ${MORE}`],
  ["a comment in place of a value", 'watch_path = # x\nremote_host = "freya"\n', "1:13: a value is missing"],
  ["a section without a name", "[web.]\nmetrics = true\n", "1:1: [ is not closed"],
  ["no equals sign in a section", 'web = { listen "127.0.0.1:1" }\n', '1:1: no "=" after web'],
  ["a comma that is missing in a section", 'web = { metrics = true listen = "x" }\n', "1:24: a comma is missing before this"],
  ["a key without a value", 'recursive\nremote_host = "freya"\n', '1:1: no "=" after recursive'],
  ["a colon", `${TOML_BASE}remote_user: "x"\n`, '4:1: no "=" after remote_user'],
  ["two keys in a line", 'watch_path = "/data" remote_host = "freya"\n', "1:22: each key needs a line of its own"],
  [
    "a path of Windows",
    'watch_path = "C:\\data"\n',
    "1:18: \\ is an escape character in double quotes; write C:/… or use single quotes",
  ],
];

for (const [kind, table] of [["yaml", YAML], ["toml", TOML]] as const) {
  for (const [what, text, error] of table) {
    Deno.test(`parseSettings() says what is wrong with ${kind.toUpperCase()}: ${what}`, () => {
      const { message } = assertThrows(() => parseSettings(text, "c", kind, aComputer()), ConfigError);
      // What is really missing is another matter.
      const lines = message.split("\n").filter((line) => !/ is missing: /.test(line));
      assertEquals(lines, [`c:${error}`]);
    });
  }
}

Deno.test("parseSettings() says soon what is wrong, however long the text is", () => {
  for (const long of ["\n".repeat(200_000), "# a,\n".repeat(50_000), "a = [\n".repeat(50_000)]) {
    const begin = performance.now();
    for (const text of [`${long}x y\n`, `x = ${long}y`]) {
      for (const kind of ["yaml", "toml"] as const) assertThrows(() => parseSettings(text, "c", kind, aComputer()), ConfigError);
    }
    assert(performance.now() - begin < 20_000, JSON.stringify(long.slice(0, 10)));
  }
});
