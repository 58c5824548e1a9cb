/** Configurations that cannot be used, each with every line that is said about it. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, parseSettings } from "../../src/config/read/parse_settings.ts";
import { METHOD_NAMES } from "../../src/config/schema/schema_methods.ts";
import { aComputer } from "./a_computer.ts";

/** `"a", "b" or "c"` */
function eitherOf(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ").replace(/, ([^,]+)$/, " or $1");
}

type Row = readonly [name: string, text: string, ...errors: string[]];

/** Lines 1 to 3 of most rows: enough to be valid. */
const BASE = "watch_path: /data\nremote_host: freya\nremote_base_path: /images\n";

const ROWS: readonly Row[] = [
  [
    "an unknown key, with the nearest",
    `${BASE}file_patern: ["*.fits"]\n`,
    '4:1: unknown key "file_patern"; did you mean "file_patterns"?',
  ],
  ...['"yesterday"', "7", '"2026-02-30"', "true", '"01.11.2026"'].map((written): Row => [
    `newer_than: ${written}`,
    `${BASE}newer_than: ${written}\n`,
    `4:1: "newer_than" must be a date like 2026-11-01, a time before the first start like 7d, now, or false, not ${written}`,
  ]),
  [
    "a header card in the base path",
    "watch_path: /data\nremote_host: freya\nremote_base_path: /images/{header.OBJECT|x}\n",
    '3:1: "remote_base_path" is invalid: {header.OBJECT|x} belongs in "layout", which continues it',
  ],
  [
    "a header card that is misspelt behind the night in the base path",
    "watch_path: /data\nremote_host: freya\nremote_base_path: /images/NIGHT/{OBJECT}\n",
    '3:1: "remote_base_path" is invalid: {OBJECT} is unknown; did you mean {header.OBJECT}?',
  ],
  [
    "an unknown key that is part of a known one",
    `watch_path: /data\nhost: freya\nremote_host: freya\nremote_base_path: /images\n`,
    '2:1: unknown key "host"; did you mean "remote_host"?',
  ],
  [
    "an unknown key in another notation",
    `${BASE}retryAttempts: 3\n`,
    '4:1: unknown key "retryAttempts"; did you mean "retry_attempts"?',
  ],
  [
    "an unknown key with nothing near",
    `${BASE}zebra: 3\n`,
    '4:1: unknown key "zebra"; "image-transfer config schema" lists all known keys',
  ],
  [
    "keys that people guess, once each",
    "watch_path: /data\nmethod: rsync\nhost: freya\nuser: observer\nport: 22\npath: /images\nexclude: [x]\n",
    '2:1: unknown key "method"; did you mean "transfer_method"?',
    '3:1: unknown key "host"; did you mean "remote_host"?',
    '4:1: unknown key "user"; did you mean "remote_user"?',
    '5:1: unknown key "port"; did you mean "remote_port"?',
    '6:1: unknown key "path"; did you mean "remote_base_path"?',
    '7:1: unknown key "exclude"; did you mean "exclude_patterns"?',
  ],
  [
    "guessed keys of a source and its destination",
    "source: /data\nHost: freya\ntarget: /images\n",
    '1:1: unknown key "source"; did you mean "watch_path"?',
    '2:1: unknown key "Host"; did you mean "remote_host"?',
    '3:1: unknown key "target"; did you mean "remote_base_path"?',
  ],
  [
    "path where source names the watched folder",
    "path: /images\nsource: /data\nhost: freya\n",
    '1:1: unknown key "path"; did you mean "remote_base_path"?',
    '2:1: unknown key "source"; did you mean "watch_path"?',
    '3:1: unknown key "host"; did you mean "remote_host"?',
  ],
  [
    "a whole address as the destination",
    "watch_path: /data\ndestination: observer@freya:/images\n",
    '2:1: unknown key "destination"; write remote_user: observer, remote_host: freya and remote_base_path: /images',
  ],
  [
    "a password that ssh does not take",
    `${BASE}remote_password: geheim\n`,
    '4:1: unknown key "remote_password"; did you mean "password"?',
  ],
  [
    "path where the base path is known already",
    "path: /data\nremote_host: freya\nremote_base_path: /images\n",
    '1:1: unknown key "path"; did you mean "watch_path"?',
  ],
  ["a port of the page", `${BASE}web: { port: 8080 }\n`, '4:8: unknown key "port"; did you mean "listen"?'],
  [
    "keys of a section in one line",
    `${BASE}web.listen: 8080\nweb.port: 8080\n`,
    '4:1: unknown key "web.listen"; write web: { listen: … }',
    '5:1: unknown key "web.port"; write web: { listen: … }',
  ],
  [
    "a key of ssh",
    `${BASE}ssh_key: ~/.ssh/id_ed25519\n`,
    '4:1: unknown key "ssh_key"; ssh reads it from your ~/.ssh/config, as IdentityFile',
  ],
  [
    "the host in the base path only",
    "watch_path: /data\nremote_base_path: observer@freya:/images\n",
    '2:1: "remote_base_path" contains the host; write remote_user: observer, remote_host: freya and remote_base_path: /images',
  ],
  [
    "the folder in the host only",
    "watch_path: /data\nremote_host: freya:/images\n",
    '2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "freya:/images"; write remote_host: freya and remote_base_path: /images',
  ],
  [
    "typographic quotes of a path that must be absolute",
    "watch_path: “/data”\nremote_host: freya\nremote_base_path: /images\n",
    '1:1: "watch_path" begins with a typographic quote, which is part of the value; write " or \' instead',
  ],
  [
    "a share of Windows elsewhere",
    "watch_path: /data\ntransfer_method: local\nremote_base_path: '\\\\nas\\images'\n",
    '3:1: "remote_base_path" is a Windows path, "\\\\nas\\images"; mount it, and write the folder where it is mounted',
  ],
  [
    "a destination that is no list",
    "watch_path: /data\ndestination: { remote_host: freya, remote_base_path: /images }\n",
    '2:1: unknown key "destination"; did you mean "destinations"?',
  ],
  [
    "destinations that are no list",
    "watch_path: /data\ndestinations: { remote_host: freya, remote_base_path: /images }\n",
    '2:1: "destinations" must be a list of destinations, not a section',
  ],
  ["an unknown key of a section", `${BASE}web:\n  listne: 127.0.0.1:80\n`, '5:3: unknown key "listne"; did you mean "listen"?'],
  [
    "an audit of another kind",
    `${BASE}audit: often\n`,
    '4:1: "audit" must be true, false, "repair" or a section, like {every: 30d, sample: 5%}, not "often"',
  ],
  [
    "an audit of more than there is",
    `${BASE}audit: { every: 7d, sample: 120% }\n`,
    '4:21: "audit.sample" must be a share of the delivered files from 0.01% to 100%, like "5%", not "120%"',
  ],
  ["a misspelt key of an audit", `${BASE}audit: { evry: 7d }\n`, '4:10: unknown key "evry"; did you mean "every"?'],
  [
    "an unknown key of a section with nothing near",
    `${BASE}web: { zebra: 1 }\n`,
    '4:8: unknown key "zebra"; known keys here are "listen", "token", "metrics_token", "tls_cert", "tls_key" and "metrics"',
  ],
  [
    "several mistakes, in the order of lines",
    `retry_attempts: three\nwatch_path: data\nfrobnicate: 1\nremote_host: freya\n`,
    '1:1: "retry_attempts" must be a whole number from 0 to 1000, not "three"',
    '1:1: "remote_base_path" is missing: the folder under which files are stored',
    '2:1: "watch_path" must be an absolute path, beginning with /, ~ or a drive, not "data"',
    '3:1: unknown key "frobnicate"; "image-transfer config schema" lists all known keys',
  ],
  ["an empty file", ``, '1:1: the configuration is empty; "image-transfer init" creates one'],
  [
    "a list for a file",
    `- watch_path: /data\n`,
    "1:1: a configuration must consist of keys and values, like watch_path: ~/images",
  ],
  ["a text for a file", `watch everything\n`, "1:1: a configuration must consist of keys and values, like watch_path: ~/images"],
  ["broken YAML", `watch_path: [/data\nremote_host: freya\n`, "1:13: [ is not closed"],
  ["tabs in YAML", `web:\n	listen: 80\n`, "2:1: YAML cannot be indented with tabs; use spaces"],
  ["a key twice", `${BASE}remote_host: nas\n`, '4:1: "remote_host" is set twice; keep one'],
  [
    "two documents",
    `${BASE}---\nwatch_path: /data\nremote_host: freya\nremote_base_path: /images\n`,
    "4:1: a second YAML document begins here; a configuration is a single document",
  ],
  ["an anchor that leads nowhere", `${BASE}file_patterns: *nowhere\n`, "4:16: a value that begins with * must be in quotes"],
  [
    "a Windows path in double quotes",
    `watch_path: "C:\\Users\\me"\nremote_host: freya\n`,
    "1:16: \\ is an escape character in double quotes; write C:/… or use single quotes",
  ],
  [
    "removing what is not proven",
    `${BASE}delete_source: true\nverify: size\n`,
    '4:1: "delete_source" needs verify_transfer: true at every destination; "freya" has size',
  ],
  [
    "removing what is not compared at one of two destinations",
    `watch_path: /data\ndelete_source: true\ndestinations:\n  - { remote_host: freya, remote_base_path: /a }\n` +
    `  - { remote_host: nas, remote_base_path: /a, verify_transfer: false }\n`,
    '2:1: "delete_source" needs verify_transfer: true at every destination; "nas" has none',
  ],
  [
    "no watch_path",
    `remote_host: freya\nremote_base_path: /images\n`,
    '1:1: "watch_path" is missing: the folder the camera writes to',
  ],
  [
    "no host",
    `watch_path: /data\nremote_base_path: /images\n`,
    '1:1: "remote_host" is missing: the computer to send images to (for a folder on this computer, set transfer_method: local)',
  ],
  [
    "no base path",
    `watch_path: /data\nremote_host: freya\n`,
    '1:1: "remote_base_path" is missing: the folder under which files are stored',
  ],
  ["a key without a value", `${BASE}rsync_options:\n`, '4:1: "rsync_options" has no value; add one or remove the line'],
  ["a number for text", `${BASE}remote_user: 17\n`, '4:1: "remote_user" must be a user name, not 17'],
  ["text for a number", `${BASE}retry_attempts: "3"\n`, '4:1: "retry_attempts" must be a whole number from 0 to 1000, not "3"'],
  ["a YAML 1.1 boolean", `${BASE}compression: no\n`, '4:1: "compression" must be true or false, not "no"'],
  [
    "a text for a list",
    `${BASE}file_patterns: "*.fits"\n`,
    '4:1: "file_patterns" must be a list of patterns, like ["*.fits", "*.fit"], not "*.fits"',
  ],
  ["an empty list of patterns", `${BASE}file_patterns: []\n`, '4:1: "file_patterns" must name at least one pattern'],
  ["a wrong item of a list", `${BASE}file_patterns:\n  - "*.fits"\n  - 3\n`, '6:5: "file_patterns[1]" must be text, not 3'],
  [
    "an unknown method",
    `${BASE}transfer_method: rsnyc\n`,
    `4:1: "transfer_method" must be ${eitherOf(METHOD_NAMES)}, not "rsnyc"; did you mean "rsync"?`,
  ],
  [
    "an unknown method, without what another one needs",
    "watch_path: /data\nremote_base_path: /there\ntransfer_method: rsnyc\n",
    `3:1: "transfer_method" must be ${eitherOf(METHOD_NAMES)}, not "rsnyc"; did you mean "rsync"?`,
  ],
  [
    "an unknown check",
    `${BASE}verify_transfer: md5\n`,
    '4:1: "verify_transfer" must be true, false, "checksum", "size" or "none", not "md5"',
  ],
  [
    "an unknown check under its other name",
    `${BASE}verify: timestamp\n`,
    '4:1: "verify" is invalid: files with the same modification time may have different bytes; use checksum, or size',
  ],
  [
    "a key and its other name",
    `${BASE}verify: size\nverify_transfer: true\n`,
    '4:1: "verify" is another name for "verify_transfer", which is also set; keep one',
  ],
  [
    "a duration without sense",
    `${BASE}rescan_interval: often\n`,
    '4:1: "rescan_interval" must be a duration from 1s to 7d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not "often"',
  ],
  [
    "a duration out of bounds",
    `${BASE}transfer_timeout_seconds: 0\n`,
    '4:1: "transfer_timeout_seconds" must be a duration from 1s to 1d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not 0',
  ],
  [
    "a negative duration",
    `${BASE}retry_delay: -5\n`,
    '4:1: "retry_delay" must be a duration from 0ms to 1d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not -5',
  ],
  [
    "a size without sense",
    `${BASE}log_max_bytes: ten\n`,
    '4:1: "log_max_bytes" must be a size from 10000 bytes, as a number of bytes or with its unit, like 10 MB or 512 KiB, not "ten"',
  ],
  [
    "a speed without sense",
    `${BASE}bandwidth_limit: fast\n`,
    '4:1: "bandwidth_limit" must be a speed of at least 1 kB/s, as a number of bytes per second or with its unit, like 10 MB/s, 500k, 100 Mbit/s; false means no limit, a list of {from, to, limit} follows the time of day, not "fast"',
  ],
  [
    "a speed too low to be meant",
    `${BASE}bandwidth_limit: 5\n`,
    '4:1: "bandwidth_limit" must be a speed of at least 1 kB/s, as a number of bytes per second or with its unit, like 10 MB/s, 500k, 100 Mbit/s; false means no limit, a list of {from, to, limit} follows the time of day, not 5',
  ],
  [
    "mode bits without sense",
    `${BASE}file_mode: rw-r--r--\n`,
    '4:1: "file_mode" must be permissions in octal, like 0664, not "rw-r--r--"',
  ],
  ["a port out of bounds", `${BASE}remote_port: 70000\n`, '4:1: "remote_port" must be a whole number from 1 to 65535, not 70000'],
  [
    "a time zone that is none",
    `${BASE}night_timezone: Europe/Atlantis\n`,
    '4:1: "night_timezone" must be a time zone, like Europe/Berlin, not "Europe/Atlantis"',
  ],
  [
    "a rollover that is none",
    `${BASE}night_rollover: noon\n`,
    '4:1: "night_rollover" must be a time of day, like 12:00, not "noon"',
  ],
  [
    "a longitude that is none",
    `${BASE}site_longitude: 70W\n`,
    '4:1: "site_longitude" must be a number from -180 to 360, not "70W"',
  ],
  [
    "an unknown log level",
    `${BASE}log_level: verbose\n`,
    '4:1: "log_level" must be "trace", "debug", "info", "warning", "warn" or "error", not "verbose"',
  ],
  [
    "a layout without a name",
    `${BASE}layout: "{night}"\n`,
    '4:1: "layout" is invalid: the last part must contain {path}, {name} or {stem}, or files would replace each other',
  ],
  [
    "a layout with an unknown placeholder",
    `${BASE}layout: "{nite}/{path}"\n`,
    '4:1: "layout" is invalid: {nite} is unknown; use one of {path} {folder} {name} {stem} {ext} {night} {job} {header.KEYWORD}',
  ],
  [
    "a layout that leaves the base path",
    `${BASE}layout: "../{path}"\n`,
    '4:1: "layout" is invalid: ".." could lead out of remote_base_path',
  ],
  [
    "a marker that is always there",
    `${BASE}completeness: marker\nmarker: "{name}/done"\n`,
    '5:1: "marker" must be a file name that contains {name}, like {name}.done, without a folder, not "{name}/done"',
  ],
  [
    "a relative watch_path",
    `watch_path: images\nremote_host: freya\nremote_base_path: /images\n`,
    '1:1: "watch_path" must be an absolute path, beginning with /, ~ or a drive, not "images"',
  ],
  [
    "a variable that is not set",
    `watch_path: $NOWHERE/images\nremote_host: freya\nremote_base_path: /images\n`,
    '1:1: "watch_path" contains $NOWHERE, which is not set in the environment',
  ],
  [
    "another user's home",
    `watch_path: ~bob/images\nremote_host: freya\nremote_base_path: ~bob/images\n`,
    '1:1: "watch_path" refers to the home folder of another user, "~bob/images"; write the full path',
    '3:1: "remote_base_path" refers to the home folder of another user, "~bob/images"; write the full path',
  ],
  [
    "a way out of the remote folder",
    `watch_path: /data\nremote_host: freya\nremote_base_path: /images/../etc\n`,
    '3:1: "remote_base_path" must not contain ".."',
  ],
  [
    "a host that is an option",
    `watch_path: /data\nremote_host: -oProxyCommand=touch\nremote_base_path: /images\n`,
    '2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "-oProxyCommand=touch"',
  ],
  [
    "a host with its user",
    `watch_path: /data\nremote_host: observer@freya\nremote_base_path: /images\n`,
    '2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "observer@freya"; write remote_user: observer and remote_host: freya',
  ],
  [
    "a host with its folder",
    `watch_path: /data\nremote_host: freya:/images\nremote_base_path: /images\n`,
    '2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "freya:/images"; write remote_host: freya and remote_base_path: /images',
  ],
  [
    "a host with its user, port and folder",
    `watch_path: /data\nremote_host: ssh://observer@freya:2222/images\nremote_base_path: /images\n`,
    '2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "ssh://observer@freya:2222/images"; write remote_user: observer, remote_host: freya, remote_port: 2222 and remote_base_path: /images',
  ],
  [
    "a host with its user and a folder in the home",
    `watch_path: /data\nremote_host: observer@freya:images\nremote_base_path: /images\n`,
    '2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "observer@freya:images"; write remote_user: observer, remote_host: freya and remote_base_path: images',
  ],
  [
    "a host with its port",
    `watch_path: /data\nremote_host: freya:22\nremote_base_path: /images\n`,
    '2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "freya:22"; write remote_host: freya and remote_port: 22',
  ],
  [
    "a folder for a host",
    `watch_path: /data\nremote_host: /mnt/nas\nremote_base_path: /images\n`,
    '2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "/mnt/nas"; for a folder of this computer, set remote_base_path and transfer_method: local',
  ],
  [
    "a host with a shell in it",
    `watch_path: /data\nremote_host: $(reboot)\nremote_base_path: /images\n`,
    '2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "$(reboot)"',
  ],
  ["a user that is an option", `${BASE}remote_user: -l\n`, '4:1: "remote_user" must be a user name, not "-l"'],
  [
    "a control character",
    `watch_path: "/data\\nmore"\nremote_host: freya\nremote_base_path: /images\n`,
    '1:1: "watch_path" must be a folder, without control characters, not "/data\\nmore"',
  ],
  [
    "an rsync option that breaks a promise",
    `${BASE}rsync_options: [--archive, --inplace]\n`,
    '4:28: "rsync_options" must not contain --inplace: it writes to files that may already be visible',
  ],
  [
    "short rsync options with one that breaks a promise",
    `${BASE}rsync_options:\n  - -avn\n`,
    '5:5: "rsync_options" must not contain --dry-run in -avn: nothing would be sent; use image-transfer --dry-run',
  ],
  [
    "an rsync option with its value apart",
    `${BASE}rsync_options: [--bwlimit=500, "5000"]\n`,
    '4:32: "rsync_options" must be an option that begins with -, with its value after =, like --bwlimit=5000, not "5000"',
  ],
  [
    "an rsync option that nobody knows",
    `${BASE}rsync_options: [--frobnicate]\n`,
    '4:17: "rsync_options" must not contain --frobnicate: it is not known to be safe. Allowed: --bwlimit=…, --compress, --compress-level=…, --compress-choice=…, --skip-compress=…, --whole-file, --no-whole-file, --chmod=…, --chown=…, --owner, --group, --numeric-ids, --usermap=…, --groupmap=…, --acls, --xattrs, --omit-dir-times, --ipv4, --ipv6, --sockopts=…, --block-size=…, --checksum-choice=…, --open-noatime',
  ],
  [
    "a folder of Windows as a local destination of another system",
    "watch_path: /data\ntransfer_method: local\nremote_base_path: D:\\images\n",
    '3:1: "remote_base_path" is a Windows path, "D:\\images", but this computer does not run Windows; use a path on this computer, or set remote_host',
  ],
  [
    "the destination in the watched folder",
    `watch_path: /data\ntransfer_method: local\nremote_base_path: /data/sent\n`,
    "3:1: the destination /data/sent and the watched folder /data overlap: files would be sent in a loop",
  ],
  [
    "the watched folder in the destination",
    `watch_path: /data/new\ntransfer_method: local\nremote_base_path: /data\n`,
    "3:1: the destination /data and the watched folder /data/new overlap: files would be sent in a loop",
  ],
  [
    "jobs in a ring",
    `transfer_method: local\njobs:\n  - { name: a, watch_path: /a, remote_base_path: /b }\n  - { name: b, watch_path: /b, remote_base_path: /a }\n`,
    '3:32: files would be sent in a loop: from the job "a" to "b" and back',
    '4:32: files would be sent in a loop: from the job "b" to "a" and back',
  ],
  [
    "two jobs of one name",
    `remote_host: freya\nremote_base_path: /images\njobs:\n  - { name: a, watch_path: /a }\n  - { name: A, watch_path: /b }\n`,
    '5:7: there are two jobs named "A"; names must be unique',
  ],
  [
    "two destinations of one name",
    `watch_path: /data\ndestinations:\n  - { remote_host: freya, remote_base_path: /a }\n  - { remote_host: freya, remote_base_path: /b }\n`,
    '4:5: there are two destinations named "freya"; names must be unique',
  ],
  [
    "the same destination twice",
    `watch_path: /data\ndestinations:\n  - { name: a, remote_host: freya, remote_base_path: /a }\n  - { name: b, remote_host: freya, remote_base_path: /a/ }\n`,
    "4:5: this destination has the same folder as another destination of the same job",
  ],
  ["a job without a name", `${BASE}jobs:\n  - watch_path: /a\n`, '5:5: "name" is missing; it must be a name'],
  [
    "a name with a slash",
    `${BASE}jobs:\n  - name: a/b\n`,
    '5:5: "name" must be a name of letters, digits, spaces and . _ - (at most 64 characters), not "a/b"',
  ],
  ["jobs that are no list", `${BASE}jobs: spring\n`, '4:1: "jobs" must be a list of jobs, not "spring"'],
  [
    "a job that is no section",
    `${BASE}jobs: [spring]\n`,
    '4:8: "jobs" must be a section, like { name: spring, watch_path: /data, … }',
  ],
  ["an empty list of jobs", `${BASE}jobs: []\n`, '4:1: "jobs" must have at least one job'],
  [
    "a key of the program in a job",
    `${BASE}jobs:\n  - name: a\n    log_level: debug\n`,
    '6:5: "log_level" is not allowed in a job; it belongs at the top of the file',
  ],
  [
    "a mistake in one destination of many",
    `watch_path: /data\ndestinations:\n  - { remote_host: freya, remote_base_path: /a }\n  - remote_host: nas\n    remote_base_path: /a\n    paralel_transfers: 3\n    order: random\n`,
    '6:5: unknown key "paralel_transfers"; did you mean "parallel_transfers"?',
    '7:5: "order" must be "oldest_first" or "newest_first", not "random"',
  ],
  [
    "growing files in words",
    `${BASE}growing_files: always\n`,
    '4:1: "growing_files" must be true, false or a section with min_size_mb, safety_margin_mb, growth_timeout_seconds, not "always"',
  ],
  [
    "growing files with bad keys",
    `${BASE}growing_files: { min_size_mb: -5, growth_timeout_seconds: never, safety_marginmb: 3 }\n`,
    '4:18: "growing_files.min_size_mb" must be a number from 0 to 1000000000, not -5',
    '4:35: "growing_files.growth_timeout_seconds" must be a duration from 1s to 1d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not "never"',
    '4:66: unknown key "safety_marginmb"; did you mean "safety_margin_mb"?',
  ],
  [
    "rclone without a remote",
    "watch_path: /data\ntransfer_method: rclone\nremote_base_path: bucket/images\n",
    '1:1: "remote" is missing: the name of an rclone remote, or write it into remote_base_path, like s3remote:bucket/images',
  ],
  [
    "rclone with a drive of Windows",
    "watch_path: /data\ntransfer_method: rclone\nremote_base_path: C:/images\n",
    '3:1: "remote_base_path" begins with the drive "C:", not with the name of a remote, like s3remote:bucket/images; for a folder on this computer, set transfer_method: local',
  ],
  [
    "rclone with a remote that is described in the path, with its secret",
    "watch_path: /data\ntransfer_method: rclone\nremote_base_path: ':s3,secret_access_key=abc:bucket'\n",
    '3:1: "remote_base_path" must begin with the name of a remote, as "rclone listremotes" shows it',
  ],
  [
    "rclone with a remote that cannot be a name",
    "watch_path: /data\ntransfer_method: rclone\nremote: 's3,env_auth=true'\nremote_base_path: bucket\n",
    '3:1: "remote" must be the name of a remote, as "rclone listremotes" shows it',
  ],
  [
    "an unknown schedule",
    `${BASE}schedule: often\n`,
    '4:1: "schedule" must be "continuous", "manual" or a section, like {interval: 5m}, {cron: "0 6 * * *"} or {from: "06:00", to: "18:00"}, not "often"',
  ],
  [
    "a schedule with two meanings",
    `${BASE}schedule: { interval: 5m, cron: "0 6 * * *" }\n`,
    '4:1: "schedule" must have one of interval, interval_hours, cron, and from with to',
  ],
  [
    "a schedule without a meaning",
    `${BASE}schedule: { timezone: Europe/Berlin }\n`,
    '4:1: "schedule" must have one of interval, interval_hours, cron, and from with to',
  ],
  [
    "a schedule with a bad cron expression",
    `${BASE}schedule: { cron: "61 * * * *" }\n`,
    '4:13: "schedule.cron" must be a cron expression: Invalid value for minute: 61, not "61 * * * *"',
  ],
  [
    "a schedule with too few cron fields",
    `${BASE}schedule: { cron: "5 *" }\n`,
    '4:13: "schedule.cron" must be five or six cron fields, like 0 */10 6 * * *, not "5 *"',
  ],
  [
    "a schedule that never comes",
    `${BASE}schedule: { cron: "0 0 31 2 *" }\n`,
    '4:13: "schedule.cron" must match some date, not "0 0 31 2 *"',
  ],
  ["a schedule with half a window", `${BASE}schedule: { from: "06:00" }\n`, '4:1: "schedule" must have both from and to'],
  [
    "a schedule with an empty window",
    `${BASE}schedule: { from: "06:00", to: "06:00" }\n`,
    '4:28: "schedule.to" must be another time than from, not "06:00"',
  ],
  [
    "a schedule with a bad time of day",
    `${BASE}schedule: { from: "6 o'clock", to: "18:00" }\n`,
    '4:13: "schedule.from" must be a time of day, like 06:00, not "6 o\'clock"',
  ],
  [
    "a schedule in an unknown time zone",
    `${BASE}schedule: { cron: "0 6 * * *", timezone: Berlin }\n`,
    '4:32: "schedule.timezone" must be a time zone, like Europe/Berlin, not "Berlin"',
  ],
  [
    "a schedule that is too quick",
    `${BASE}schedule: { interval: 5ms }\n`,
    '4:13: "schedule.interval" must be a duration from 1s to 30d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not "5ms"',
  ],
  [
    "a misspelt key of a schedule",
    `${BASE}schedule: { intervall: 5m }\n`,
    '4:13: unknown key "intervall"; did you mean "interval"?',
  ],
  [
    "a negative cooldown",
    `${BASE}cooldown_seconds: -5\n`,
    '4:1: "cooldown_seconds" must be a duration from 0ms to 1d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not -5',
  ],
  ["a hook without a receiver", `${BASE}hooks: [{ on: [ready] }]\n`, '4:9: "hooks[0]" must have a command or a url'],
  [
    "a hook with two receivers",
    `${BASE}hooks: [{ on: [ready], command: [echo], url: "https://a.example/b" }]\n`,
    '4:9: "hooks[0]" must have a command or a url, not both',
  ],
  [
    "a hook on an unknown event",
    `${BASE}hooks: [{ on: [reday], command: [echo] }]\n`,
    '4:16: "hooks[0].on[0]" must be "created", "changed", "removed", "ready", "delivered", "failed", "held", "resumed", "scheduled" or "report", not "reday"; did you mean "ready"?',
  ],
  ["a hook on nothing", `${BASE}hooks: [{ on: [], command: [echo] }]\n`, '4:11: "hooks[0].on" must name at least one event'],
  [
    "a hook with a misspelt key",
    `${BASE}hooks: [{ on: [ready], comand: [echo] }]\n`,
    '4:24: unknown key "comand"; did you mean "command"?',
  ],
  [
    "a hook with an unknown placeholder",
    `${BASE}hooks: [{ on: [ready], command: [echo, "{paht}"] }]\n`,
    '4:24: "hooks[0].command" must have known placeholders only, {event}, {at}, {job}, {trigger_type}, {path}, {name}, {size}, {destination}, {target}, {method}, {sha256}, {night}, {error}, {text}; {paht} is none',
  ],
  [
    "a hook with a bad url",
    `${BASE}hooks: [{ on: [ready], url: "ftp://a.example" }]\n`,
    '4:24: "hooks[0].url" must be the address of a webhook, like https://chat.example/hooks/abc',
  ],
  [
    "a hook for ntfy without a topic",
    `${BASE}hooks: [{ on: [held], url: "https://ntfy.sh/", format: ntfy }]\n`,
    '4:23: "hooks[0].url" must end with the topic, like https://ntfy.sh/my-topic',
  ],
  [
    "a hook for Telegram without a chat",
    `${BASE}hooks: [{ on: [held], url: "https://api.telegram.org/bot1:a/sendMessage", format: telegram }]\n`,
    '4:9: "hooks[0].chat_id" is missing; it must be set with format: telegram, and only with it',
  ],
  [
    "a hook that signs a command",
    `${BASE}hooks: [{ on: [ready], command: [echo], secret: geheim }]\n`,
    '4:41: "hooks[0].secret" must be left out: it is for webhooks',
  ],
  [
    "a hook for an unknown destination",
    `${BASE}hooks: [{ on: [ready], command: [echo], destinations: [freia] }]\n`,
    '4:1: "hooks" names an unknown destination, "freia"; did you mean "freya"?',
  ],
  [
    "a report that nobody receives",
    `${BASE}report: { at: "07:00" }\n`,
    '4:1: "report.to" is missing: the webhook that receives it, or a hook on report',
  ],
  [
    "a mirror without proof",
    `${BASE}delete_destination_files: true\nverify_transfer: size\n`,
    '4:1: "delete_destination_files" needs verify_transfer: true at every mirror; "freya" has size',
  ],
  [
    "a brake of a mirror that is neither a number nor a share",
    `${BASE}max_delete: many\nkeep_deleted: 1 lightyear\n`,
    '4:1: "max_delete" must be a number of files, or a share like "10%", not "many"',
    '5:1: "keep_deleted" must be a duration from 0ms to 3650d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not "1 lightyear"',
  ],
  [
    "a brake of a mirror over 100%",
    `${BASE}max_delete: 101%\n`,
    '4:1: "max_delete" must be a number of files, or a share like "10%", not "101%"; did you mean "10%"?',
  ],
  [
    "deleting at the destination",
    `${BASE}delete_destination_files: true\ndelete_source: true\n`,
    '4:1: "delete_destination_files" cannot be used with "delete_source": what is removed here after delivery would be removed there as well',
  ],
  [
    "a mirror of files that another job removes",
    `remote_host: freya\njobs:\n  - { name: a, watch_path: /data, remote_base_path: /a, delete_source: true }\n  - { name: b, watch_path: /data/x, remote_base_path: /b, delete_destination_files: true }\n  - { name: c, watch_path: /data, file_patterns: ["*.log"], remote_base_path: /c, delete_destination_files: true }\n  - { name: d, watch_path: /other, remote_base_path: /d, delete_destination_files: true }\n`,
    '4:59: "delete_destination_files" cannot be used while the job "a" removes the same files here (delete_source): they would be removed there as well',
  ],
  [
    "PocketBase",
    `${BASE}pocketbase: { url: http://localhost:8090 }\n`,
    '4:1: "pocketbase.admin_email" is missing; it must be an email address',
  ],
  [
    "PocketBase without a password",
    `${BASE}pocketbase: { url: http://localhost:8090, admin_email: a@example.org }\n`,
    '4:1: "pocketbase" needs "admin_password" or "admin_password_file"',
  ],
  [
    "an order of other computers that there is none of",
    `${BASE}pocketbase: { url: http://localhost:8090, admin_email: a@example.org, admin_password: x, may_do: [retri] }\n`,
    '4:99: "pocketbase.may_do[0]" must be "pause", "resume", "retry" or "scan", not "retri"; did you mean "retry"?',
  ],
  [
    "a timetable of the bandwidth with an unknown key",
    `${BASE}bandwidth_limit: [{ from: "22:00", to: "06:00", limt: 1 MB/s }]\n`,
    '4:19: "bandwidth_limit[0].limit" is missing; it must be a speed of at least 1 kB/s, as a number of bytes per second or with its unit, like 10 MB/s, 500k, 100 Mbit/s; false means no limit',
    '4:49: unknown key "limt"; did you mean "limit"?',
  ],
  [
    "a timetable of the bandwidth with bad values",
    `${BASE}bandwidth_limit: [{ from: "22:00", to: "6 o'clock", limit: fast }]\n`,
    `4:36: "bandwidth_limit[0].to" must be a time of day, like 06:00, not "6 o'clock"`,
    '4:53: "bandwidth_limit[0].limit" must be a speed of at least 1 kB/s, as a number of bytes per second or with its unit, like 10 MB/s, 500k, 100 Mbit/s; false means no limit, not "fast"',
  ],
  [
    "a timetable of the bandwidth without its times",
    `${BASE}bandwidth_limit: [{ limit: 1 MB/s }]\n`,
    '4:19: "bandwidth_limit[0].from" is missing; it must be a time of day, like 20:00',
    '4:19: "bandwidth_limit[0].to" is missing; it must be a time of day, like 06:00',
  ],
  [
    "a timetable of the bandwidth that overlaps after midnight",
    `${BASE}bandwidth_limit: [{ from: "20:00", to: "06:00", limit: 1 MB/s }, { from: "05:30", to: "08:00", limit: 2 MB/s }]\n`,
    '4:66: "bandwidth_limit[1]" is invalid: 05:30 to 08:00 overlaps 20:00 to 06:00',
  ],
  [
    "a timetable of the bandwidth with an entry of no length",
    `${BASE}bandwidth_limit: [{ from: "20:00", to: "20:00", limit: 1 MB/s }]\n`,
    '4:36: "bandwidth_limit[0].to" must be another time than from, not "20:00"',
  ],
  [
    "a page for others without protection",
    `${BASE}web: { listen: 0.0.0.0:9090 }\n`,
    '4:8: "web.listen" lets other computers connect at 0.0.0.0; this also requires "token", "tls_cert" and "tls_key"',
  ],
  [
    "a page at no address",
    `${BASE}web: { listen: "here" }\n`,
    '4:8: "web.listen" must be an address and a port, like 127.0.0.1:9090, not "here"',
  ],
  ["a short token", `${BASE}web: { token: secret }\n`, '4:8: "web.token" must be text of at least 16 characters'],
  [
    "a certificate without its key",
    `${BASE}web: { tls_cert: /etc/cert.pem }\n`,
    '4:8: "web.tls_cert" and "web.tls_key" must be set together; one is missing',
  ],
  ["web without sense", `${BASE}web: yes please\n`, '4:1: "web" must be false, true or a section'],
  [
    "ftp with two passwords",
    `${BASE}transfer_method: ftp\npassword: a\npassword_file: /p\n`,
    '6:1: "password" and "password_file" are both set; keep one',
  ],
  [
    "ftps with wrong keys",
    `${BASE}transfer_method: ftps\ntls_mode: starttls\ntls_ca: ca.pem\npassword: $NO_SUCH\nremote_port: 0\n`,
    '5:1: "tls_mode" must be "explicit" or "implicit", not "starttls"',
    '6:1: "tls_ca" must be an absolute path, beginning with /, ~ or a drive, not "ca.pem"',
    '7:1: "password" contains $NO_SUCH, which is not set in the environment',
    '8:1: "remote_port" must be a whole number from 1 to 65535, not 0',
  ],
  [
    "certificates with ftp, which has no TLS",
    `${BASE}transfer_method: ftp\ntls_ca: /ca.pem\n`,
    '5:1: "tls_ca" is for transfer_method: ftps; ftp sends everything in clear, the password too',
  ],
  [
    "a PocketBase without TLS, in capital letters",
    `${BASE}pocketbase: { url: "HTTP://pb.example", admin_email: a@example.org, admin_password: geheim-7 }\n`,
    '4:15: "pocketbase.url" must not be http: it sends the password in clear; use https, or, where nobody else can listen, set "allow_http: pb.example"',
  ],
  [
    "certificates for a PocketBase without TLS",
    `${BASE}pocketbase: { url: "http://pb.example", admin_email: a@example.org, admin_password: geheim-7, tls_ca: /ca.pem }\n`,
    '4:15: "pocketbase.url" must not be http: it sends the password in clear; use https, or, where nobody else can listen, set "allow_http: pb.example"',
    '4:95: "pocketbase.tls_ca" is for an https URL; http sends everything in clear, the password too',
  ],
  [
    "a PocketBase whose address only looks like this computer's, and http allowed for another one",
    `${BASE}pocketbase: { url: "http://localhost.pb.example:8090", allow_http: localhost, admin_email: a@example.org, admin_password: geheim-7 }\n`,
    '4:15: "pocketbase.url" must not be http: it sends the password in clear; use https, or, where nobody else can listen, set "allow_http: localhost.pb.example"',
  ],
  [
    "hidden folders for jobs of a server",
    `${BASE}pocketbase: { url: "http://10.0.0.5:8090", allow_http: 10.0.0.5, admin_email: a@example.org, admin_password: geheim-7, may_watch: [~/.ssh], may_send_to: [images/.x] }\n`,
    '4:120: "pocketbase.may_watch" cannot allow hidden folders, "~/.ssh"',
  ],
  [
    "prototype keys",
    `${BASE}__proto__: { a: 1 }\nconstructor: 1\n`,
    '4:1: unknown key "__proto__"; "image-transfer config schema" lists all known keys',
    '5:1: unknown key "constructor"; "image-transfer config schema" lists all known keys',
  ],
];

const TOML_ROWS: readonly Row[] = [
  [
    "a Windows path in double quotes of TOML",
    `watch_path = "C:\\Users\\me"\n`,
    "1:18: \\ is an escape character in double quotes; write C:/… or use single quotes",
  ],
  ["broken TOML", `watch_path = "/data"\nremote_host = freya\n`, "2:15: put the value in quotes"],
  ["a TOML key twice", `watch_path = "/data"\nwatch_path = "/data2"\n`, '2:1: "watch_path" is set twice; keep one'],
  ["a TOML table twice", `watch_path = "/data"\n[web]\nlisten = 1\n[web]\ntoken = "x"\n`, '4:2: "web" is set twice; keep one'],
  [
    "a quoted key twice in a TOML inline table",
    `web = { "listen" = 1, "listen" = 2 }\n`,
    '1:23: "listen" is set twice; keep one',
  ],
  [
    "an unknown key in TOML",
    `watch_path = "/data"\nremote_host = "freya"\nremote_base_path = "/images"\n\n[web]\n# page\nlisten = "127.0.0.1:1"\nlisen = 3\n`,
    '8:1: unknown key "lisen"; did you mean "listen"?',
  ],
  [
    "a wrong value in a TOML list of tables",
    `[[jobs]]\nname = "a"\nwatch_path = "/data"\n\n[[jobs.destinations]]\nremote_host = "freya"\nremote_base_path = "/a"\n\n[[jobs.destinations]]\nremote_host = "nas"\nremote_base_path = "/a"\nretry_attempts = -1\n`,
    '12:1: "retry_attempts" must be a whole number from 0 to 1000, not -1',
  ],
  [
    "a wrong value in a TOML inline table",
    `watch_path = "/data"\ndestinations = [\n  { remote_host = "freya", remote_base_path = "/a" },\n  { remote_host = "nas", remote_base_path = "/a", retry_attempts = 1.5 },\n]\n`,
    '4:51: "retry_attempts" must be a whole number from 0 to 1000, not 1.5',
  ],
  [
    "a TOML date",
    `watch_path = "/data"\nremote_host = "freya"\nremote_base_path = "/images"\nnight_rollover = 12:00:00\n`,
    '4:1: "night_rollover" must be a time of day, like 12:00, not "12:00:00"',
  ],
  [
    "seed 2: a watcher without its job",
    `[[sync_jobs]]\nid = "documents"\nsource_path = "/a"\ndestination_path = "/b"\n\n[[file_watchers]]\nid = "w"\nsync_job_id = "document"\n`,
    '8:1: no sync job has the id "document"; did you mean "documents"?',
  ],
  [
    "seed 2: an unknown key",
    `[daemon]\nlog_levle = "info"\n\n[[sync_jobs]]\nid = "documents"\nsource_path = "/a"\ndestination_path = "/b"\n\n[sync_jobs.sync_options]\ncomparison_method = "mtime"\n`,
    '2:1: unknown key "log_levle"; did you mean "log_level"?',
    '10:1: "comparison_method" is invalid: files with the same modification time may have different bytes; use checksum, or size',
  ],
];

for (const [kind, rows] of [["yaml", ROWS], ["toml", TOML_ROWS]] as const) {
  for (const [name, text, ...errors] of rows) {
    Deno.test(`parseSettings() refuses ${name}`, () => {
      const error = assertThrows(() => parseSettings(text, "config", kind, aComputer()), ConfigError);
      assertEquals(error.message.split("\n"), errors.map((each) => `config:${each}`));
      assertEquals(error.code, "configuration");
    });
  }
}

for (
  const [what, remover, mirror, isRefused] of [
    ["the same files in other words", `file_patterns: ["*.fits"]`, `watch_path: /data, file_patterns: ["*"]`, true],
    ["one of several endings", `file_patterns: ["*.fits"]`, `watch_path: /data, file_patterns: ["*.{fits,log}"]`, true],
    ["files in a folder below", `file_patterns: ["*.fits"]`, `watch_path: /data/x, file_patterns: ["m31*.FITS"]`, true],
    ["files with another ending", `file_patterns: ["*.fits"]`, `watch_path: /data, file_patterns: ["*.log"]`, false],
    ["a folder that the job does not enter", `recursive: false`, `watch_path: /data/x`, false],
    [
      "files that the job excludes",
      `exclude_patterns: ["dark*.fits"]`,
      `watch_path: /data, file_patterns: ["dark*.fits"]`,
      false,
    ],
  ] as const
) {
  Deno.test(`a mirror of ${what}, beside a job that removes files, is ${isRefused ? "refused" : "accepted"}`, () => {
    const text =
      `remote_host: freya\njobs:\n  - { name: a, watch_path: /data, ${remover}, remote_base_path: /a, delete_source: true }\n` +
      `  - { name: b, ${mirror}, remote_base_path: /b, delete_destination_files: true }\n`;
    const parse = () => parseSettings(text, "config.yaml", "yaml", aComputer());
    if (isRefused) assertThrows(parse, ConfigError, "delete_source");
    else parse();
  });
}

Deno.test("ConfigError has its problems as data, with the whole key", () => {
  const text = "watch_path: /data\ndestinations:\n  - remote_host: nas\n    remote_base_path: /a\n    retry_attempts: x\n";
  const error = assertThrows(() => parseSettings(text, "c.yaml", "yaml", aComputer()), ConfigError);
  assertEquals(error.problems, [{
    line: 5,
    column: 5,
    key: "destinations[0].retry_attempts",
    message: '"retry_attempts" must be a whole number from 0 to 1000, not "x"',
  }]);
});

Deno.test("a ConfigError has one line for every problem", () => {
  const text = '"remote\\nhost": x\n"\\u001b[31m": y\n';
  const error = assertThrows(() => parseSettings(text, "c.yaml", "yaml", aComputer()), ConfigError);
  const lines = error.message.split("\n");
  assertEquals(lines.length, error.problems.length);
  assert(lines.every((line) => !/[\p{Cc}]/u.test(line)), lines.join("|"));
});

Deno.test("parseSettings() repeats no secret, however it was written wrongly", () => {
  const secret = "hunter2hunter2hunter2";
  for (
    const wrong of [
      ...[
        `*${secret}`,
        `|${secret}`,
        `>${secret}`,

        `!${secret} {a: 1}`,
        `"\\x1f${secret}"`,
        `"${secret}`,
        `[${secret}]`,
      ]
        .map((token) => `web:\n  token: ${token}\n`),
      `web: ${secret}\n`,
      `web: [${secret}]\n`,
      `report: https://hooks.example/${secret}\n`,
      `report: { to: "ftp://${secret}", at: "08:00" }\n`,
      `pocketbase: { admin_password: "\\x1f${secret}" }\n`,
      `password: [${secret}]\n`,
      `transfer_method: ftp\npassword: ${secret}\npassword_file: x\n`,
    ]
  ) {
    const { message } = assertThrows(
      () => parseSettings(BASE + wrong, "c.yaml", "yaml", aComputer()),
      ConfigError,
    );
    assert(!message.includes("hunter2"), message);
  }
});

Deno.test("parseSettings() ends soon for anchors that unfold without end", () => {
  const levels = Array.from(
    { length: 12 },
    (_, n) => `a${n}: &a${n} [${Array(9).fill(n === 0 ? "x" : `*a${n - 1}`).join(", ")}]`,
  );
  assertThrows(() => parseSettings(levels.join("\n"), "c.yaml", "yaml", aComputer()), ConfigError, "invalid YAML");
});
