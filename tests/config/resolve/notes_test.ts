/** What is valid and probably not meant: each mistake with its note, and its neighbours without one. */
import { assertEquals } from "@std/assert";
import { parseSettings } from "../../../src/config/read/parse_settings.ts";
import { aComputer } from "../a_computer.ts";

const BASE = "watch_path: /data\nremote_host: freya\nremote_base_path: /images\n";
const LOCAL = "watch_path: /data\ntransfer_method: local\n";
const twoJobs = (more: string, first = "", second = "") =>
  `remote_host: freya\nremote_base_path: /images\n${more}jobs:\n  - {name: a, watch_path: /a${first}}\n  - {name: b, watch_path: /b${second}}\n`;
const TYPOGRAPHIC = "begins or ends with a typographic quote, which is part of the value; write \" or ' instead";

const TABLE: readonly (readonly [what: string, text: string, ...notes: string[]])[] = [
  ["an ordinary configuration", BASE],
  [
    "a password with ssh",
    `${BASE}password: hunter2\n`,
    '"password" has no effect for freya with transfer_method: auto; it is for ftp and ftps: ssh logs in with a key',
  ],
  [
    "a password that another destination uses",
    `watch_path: /data\npassword: x\ndestinations: [{remote_host: freya, remote_base_path: /a}, {remote_host: nas, remote_base_path: /a, transfer_method: ftp}]\n`,
  ],
  [
    "rsync_options with scp",
    `${BASE}transfer_method: scp\nrsync_options: [--acls]\n`,
    '"rsync_options" has no effect for freya with transfer_method: scp; it is for auto and rsync',
  ],
  ["rsync_options with auto", `${BASE}rsync_options: [--acls]\n`],
  [
    "a host with local",
    `${BASE}transfer_method: local\n`,
    '"remote_host" has no effect for local with transfer_method: local, which delivers to a folder of this computer',
  ],
  ["this computer as the host", `watch_path: /data\nremote_host: localhost\nremote_base_path: /images\n`],
  ["what is off anyway", `${LOCAL}remote_base_path: /images\ncompression: false\n`],
  [
    "patterns in brackets",
    `${BASE}file_patterns: ["[fits]"]\n`,
    'the pattern "[fits]" matches a single character; write an ending as "*.fits", and a list without quotes around its brackets',
  ],
  ["brackets in a pattern", `${BASE}file_patterns: ["m[0-9]*.fits"]\n`],
  [
    "an ending without a star",
    `${BASE}file_patterns: [.fits]\n`,
    'the pattern ".fits" matches only a file of exactly this name; write "*.fits"',
  ],
  ["a whole name", `${BASE}file_patterns: [latest.fits]\nexclude_patterns: [darks]\n`],
  [
    "two patterns in one",
    `${BASE}exclude_patterns: ["*.tmp, *.bak"]\n`,
    '"*.tmp, *.bak" is one pattern; write several as a list, like ["*.fits", "*.fit"]',
  ],
  [
    "a pattern with the watched folder",
    `${BASE}file_patterns: ["/data/n/*.fits"]\n`,
    'the pattern "/data/n/*.fits" begins with the watched folder, which is not part of what patterns match; write "n/*.fits"',
  ],
  ["a pattern from the watched folder on", `${BASE}file_patterns: ["/n/*.fits"]\n`],
  ["two patterns in braces", `${BASE}file_patterns: ["{*.fits,*.fit}"]\n`],
  [
    "a regular expression",
    `${BASE}file_patterns: ['.*\\.fits$']\n`,
    'the pattern ".*\\\\.fits$" looks like a regular expression; patterns are globs, like "*.fits"',
  ],
  ["typographic quotes of a pattern", `${BASE}file_patterns: [“*.fits”]\n`, `"file_patterns" ${TYPOGRAPHIC}`],
  [
    "typographic quotes of a path",
    `watch_path: /data\nremote_host: freya\nremote_base_path: „/images“\n`,
    `"remote_base_path" ${TYPOGRAPHIC}`,
  ],
  [
    "a glob in watch_path",
    `watch_path: /data/*/raw\nremote_host: freya\nremote_base_path: /images\n`,
    '"watch_path" names one folder, and * is part of its name; file_patterns select files, and NIGHT stands for the folder of each night',
  ],
  [
    "a network share as Windows writes it",
    "watch_path: //camera/images\ntransfer_method: local\nremote_base_path: //nas/images\n",
    ...[["watch_path", "/camera/images"], ["remote_base_path", "/nas/images"]].map(([key, folder]) =>
      `"${key}" is the folder ${folder} of this computer, not a network share; mount the share, and write the folder where it is mounted`
    ),
  ],
  [
    "a host in the path",
    `watch_path: /data\nremote_host: freya\nremote_base_path: freya:/images\n`,
    '"remote_base_path" begins with a host, which remote_host already names: a folder "freya:" is made there; write /images',
  ],
  ["a drive of Windows there", `watch_path: /data\nremote_host: freya\nremote_base_path: D:/images\n`],
  [
    "two jobs into one folder",
    twoJobs(""),
    'jobs "a" and "b" deliver to the same folder, /images at freya, where files of the same name collide; layout: "{job}/{path}" keeps them apart',
  ],
  ["two jobs with {job}", twoJobs('layout: "{job}/{path}"\n')],
  ["two jobs into two folders", twoJobs("", ", remote_base_path: /x")],
  ["two jobs of different files", twoJobs("", ', file_patterns: ["*.fits"]', ', file_patterns: ["*.xisf"]')],
  ["a dry run", `${BASE}dry_run: true\n`, "job default is a dry run (dry_run): nothing is sent"],
];

for (const [what, text, ...notes] of TABLE) {
  Deno.test(`notesOf() of ${what}${notes.length === 0 ? ": none" : ""}`, () => {
    assertEquals(parseSettings(text, "config.yaml", "yaml", aComputer()).notes, notes);
  });
}
