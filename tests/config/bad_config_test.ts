/** Configurations that cannot be used, each with every line that is said about it. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, parseSettings } from "../../src/config/read/parse_settings.ts";
import { METHOD_NAMES } from "../../src/config/schema/schema_methods.ts";
import { aComputer } from "./a_computer.ts";

/** `"a", "b" or "c"` */
function eitherOf(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ").replace(/, ([^,]+)$/, " or $1");
}

interface Row {
  readonly name: string;
  readonly kind?: "toml";
  readonly text: string;
  readonly errors: readonly string[];
}

/** Lines 1 to 3 of most rows: enough to be valid. */
const BASE = "watch_path: /data\nremote_host: freya\nremote_base_path: /images\n";

const ROWS: readonly Row[] = [
  {
    name: "an unknown key, with the nearest",
    text: `${BASE}file_patern: ["*.fits"]\n`,
    errors: [
      'config.yaml:4:1: unknown key "file_patern"; did you mean "file_patterns"?',
    ],
  },
  ...['"yesterday"', "7", '"2026-02-30"', "true", '"01.11.2026"'].map((written) => ({
    name: `newer_than: ${written}`,
    text: `${BASE}newer_than: ${written}\n`,
    errors: [
      `config.yaml:4:1: "newer_than" must be a date like 2026-11-01, a time before the first start like 7d, now, or false, not ${written}`,
    ],
  })),
  {
    name: "a header card in the base path",
    text: "watch_path: /data\nremote_host: freya\nremote_base_path: /images/{header.OBJECT|x}\n",
    errors: [
      'config.yaml:3:1: "remote_base_path" is invalid: {header.OBJECT|x} belongs in "layout", which continues it',
    ],
  },
  {
    name: "a header card that is misspelt behind the night in the base path",
    text: "watch_path: /data\nremote_host: freya\nremote_base_path: /images/NIGHT/{OBJECT}\n",
    errors: [
      'config.yaml:3:1: "remote_base_path" is invalid: {OBJECT} is unknown; did you mean {header.OBJECT}?',
    ],
  },
  {
    name: "an unknown key that is part of a known one",
    text: `watch_path: /data\nhost: freya\nremote_host: freya\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:2:1: unknown key "host"; did you mean "remote_host"?',
    ],
  },
  {
    name: "an unknown key in another notation",
    text: `${BASE}retryAttempts: 3\n`,
    errors: [
      'config.yaml:4:1: unknown key "retryAttempts"; did you mean "retry_attempts"?',
    ],
  },
  {
    name: "an unknown key with nothing near",
    text: `${BASE}zebra: 3\n`,
    errors: [
      'config.yaml:4:1: unknown key "zebra"; "image-transfer config schema" lists all known keys',
    ],
  },
  {
    name: "keys that people guess, once each",
    text: "watch_path: /data\nmethod: rsync\nhost: freya\nuser: observer\nport: 22\npath: /images\nexclude: [x]\n",
    errors: [
      'config.yaml:2:1: unknown key "method"; did you mean "transfer_method"?',
      'config.yaml:3:1: unknown key "host"; did you mean "remote_host"?',
      'config.yaml:4:1: unknown key "user"; did you mean "remote_user"?',
      'config.yaml:5:1: unknown key "port"; did you mean "remote_port"?',
      'config.yaml:6:1: unknown key "path"; did you mean "remote_base_path"?',
      'config.yaml:7:1: unknown key "exclude"; did you mean "exclude_patterns"?',
    ],
  },
  {
    name: "guessed keys of a source and its destination",
    text: "source: /data\nHost: freya\ntarget: /images\n",
    errors: [
      'config.yaml:1:1: unknown key "source"; did you mean "watch_path"?',
      'config.yaml:2:1: unknown key "Host"; did you mean "remote_host"?',
      'config.yaml:3:1: unknown key "target"; did you mean "remote_base_path"?',
    ],
  },
  {
    name: "path where source names the watched folder",
    text: "path: /images\nsource: /data\nhost: freya\n",
    errors: [
      'config.yaml:1:1: unknown key "path"; did you mean "remote_base_path"?',
      'config.yaml:2:1: unknown key "source"; did you mean "watch_path"?',
      'config.yaml:3:1: unknown key "host"; did you mean "remote_host"?',
    ],
  },
  {
    name: "a whole address as the destination",
    text: "watch_path: /data\ndestination: observer@freya:/images\n",
    errors: [
      'config.yaml:2:1: unknown key "destination"; write remote_user: observer, remote_host: freya and remote_base_path: /images',
    ],
  },
  {
    name: "a password that ssh does not take",
    text: `${BASE}remote_password: geheim\n`,
    errors: ['config.yaml:4:1: unknown key "remote_password"; did you mean "password"?'],
  },
  {
    name: "path where the base path is known already",
    text: "path: /data\nremote_host: freya\nremote_base_path: /images\n",
    errors: ['config.yaml:1:1: unknown key "path"; did you mean "watch_path"?'],
  },
  {
    name: "a port of the page",
    text: `${BASE}web: { port: 8080 }\n`,
    errors: ['config.yaml:4:8: unknown key "port"; did you mean "listen"?'],
  },
  {
    name: "keys of a section in one line",
    text: `${BASE}web.listen: 8080\nweb.port: 8080\n`,
    errors: [
      'config.yaml:4:1: unknown key "web.listen"; write web: { listen: … }',
      'config.yaml:5:1: unknown key "web.port"; write web: { listen: … }',
    ],
  },
  {
    name: "a key of ssh",
    text: `${BASE}ssh_key: ~/.ssh/id_ed25519\n`,
    errors: ['config.yaml:4:1: unknown key "ssh_key"; ssh reads it from your ~/.ssh/config, as IdentityFile'],
  },
  {
    name: "the host in the base path only",
    text: "watch_path: /data\nremote_base_path: observer@freya:/images\n",
    errors: [
      'config.yaml:2:1: "remote_base_path" contains the host; write remote_user: observer, remote_host: freya and remote_base_path: /images',
    ],
  },
  {
    name: "the folder in the host only",
    text: "watch_path: /data\nremote_host: freya:/images\n",
    errors: [
      'config.yaml:2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "freya:/images"; write remote_host: freya and remote_base_path: /images',
    ],
  },
  {
    name: "typographic quotes of a path that must be absolute",
    text: "watch_path: “/data”\nremote_host: freya\nremote_base_path: /images\n",
    errors: [
      'config.yaml:1:1: "watch_path" begins with a typographic quote, which is part of the value; write " or \' instead',
    ],
  },
  {
    name: "a share of Windows elsewhere",
    text: "watch_path: /data\ntransfer_method: local\nremote_base_path: '\\\\nas\\images'\n",
    errors: [
      'config.yaml:3:1: "remote_base_path" is a Windows path, "\\\\nas\\images"; mount it, and write the folder where it is mounted',
    ],
  },
  {
    name: "a destination that is no list",
    text: "watch_path: /data\ndestination: { remote_host: freya, remote_base_path: /images }\n",
    errors: ['config.yaml:2:1: unknown key "destination"; did you mean "destinations"?'],
  },
  {
    name: "destinations that are no list",
    text: "watch_path: /data\ndestinations: { remote_host: freya, remote_base_path: /images }\n",
    errors: ['config.yaml:2:1: "destinations" must be a list of destinations, not a section'],
  },
  {
    name: "an unknown key of a section",
    text: `${BASE}web:\n  listne: 127.0.0.1:80\n`,
    errors: [
      'config.yaml:5:3: unknown key "listne"; did you mean "listen"?',
    ],
  },
  {
    name: "an audit of another kind",
    text: `${BASE}audit: often\n`,
    errors: ['config.yaml:4:1: "audit" must be true, false, "repair" or a section, like {every: 30d, sample: 5%}, not "often"'],
  },
  {
    name: "an audit of more than there is",
    text: `${BASE}audit: { every: 7d, sample: 120% }\n`,
    errors: ['config.yaml:4:21: "audit.sample" must be a share of the delivered files from 0.01% to 100%, like "5%", not "120%"'],
  },
  {
    name: "a misspelt key of an audit",
    text: `${BASE}audit: { evry: 7d }\n`,
    errors: ['config.yaml:4:10: unknown key "evry"; did you mean "every"?'],
  },
  {
    name: "an unknown key of a section with nothing near",
    text: `${BASE}web: { zebra: 1 }\n`,
    errors: [
      'config.yaml:4:8: unknown key "zebra"; known keys here are "listen", "token", "metrics_token", "tls_cert", "tls_key" and "metrics"',
    ],
  },
  {
    name: "several mistakes, in the order of lines",
    text: `retry_attempts: three\nwatch_path: data\nfrobnicate: 1\nremote_host: freya\n`,
    errors: [
      'config.yaml:1:1: "retry_attempts" must be a whole number from 0 to 1000, not "three"',
      'config.yaml:1:1: "remote_base_path" is missing: the folder under which files are stored',
      'config.yaml:2:1: "watch_path" must be an absolute path, beginning with /, ~ or a drive, not "data"',
      'config.yaml:3:1: unknown key "frobnicate"; "image-transfer config schema" lists all known keys',
    ],
  },
  {
    name: "an empty file",
    text: ``,
    errors: [
      'config.yaml:1:1: the configuration is empty; "image-transfer init" creates one',
    ],
  },
  {
    name: "a list for a file",
    text: `- watch_path: /data\n`,
    errors: [
      "config.yaml:1:1: a configuration must consist of keys and values, like watch_path: ~/images",
    ],
  },
  {
    name: "a text for a file",
    text: `watch everything\n`,
    errors: [
      "config.yaml:1:1: a configuration must consist of keys and values, like watch_path: ~/images",
    ],
  },
  {
    name: "broken YAML",
    text: `watch_path: [/data\nremote_host: freya\n`,
    errors: [
      "config.yaml:1:13: [ is not closed",
    ],
  },
  {
    name: "tabs in YAML",
    text: `web:\n	listen: 80\n`,
    errors: [
      "config.yaml:2:1: YAML cannot be indented with tabs; use spaces",
    ],
  },
  {
    name: "a key twice",
    text: `${BASE}remote_host: nas\n`,
    errors: [
      'config.yaml:4:1: "remote_host" is set twice; keep one',
    ],
  },
  {
    name: "two documents",
    text: `${BASE}---\nwatch_path: /data\nremote_host: freya\nremote_base_path: /images\n`,
    errors: [
      "config.yaml:4:1: a second YAML document begins here; a configuration is a single document",
    ],
  },
  {
    name: "an anchor that leads nowhere",
    text: `${BASE}file_patterns: *nowhere\n`,
    errors: [
      "config.yaml:4:16: a value that begins with * must be in quotes",
    ],
  },
  {
    name: "a Windows path in double quotes",
    text: `watch_path: "C:\\Users\\me"\nremote_host: freya\n`,
    errors: [
      "config.yaml:1:16: \\ is an escape character in double quotes; write C:/… or use single quotes",
    ],
  },
  {
    name: "a Windows path in double quotes of TOML",
    kind: "toml",
    text: `watch_path = "C:\\Users\\me"\n`,
    errors: [
      "config.toml:1:18: \\ is an escape character in double quotes; write C:/… or use single quotes",
    ],
  },
  {
    name: "removing what is not proven",
    text: `${BASE}delete_source: true\nverify: size\n`,
    errors: [
      'config.yaml:4:1: "delete_source" needs verify_transfer: true at every destination; "freya" has size',
    ],
  },
  {
    name: "removing what is not compared at one of two destinations",
    text: `watch_path: /data\ndelete_source: true\ndestinations:\n  - { remote_host: freya, remote_base_path: /a }\n` +
      `  - { remote_host: nas, remote_base_path: /a, verify_transfer: false }\n`,
    errors: [
      'config.yaml:2:1: "delete_source" needs verify_transfer: true at every destination; "nas" has none',
    ],
  },
  {
    name: "broken TOML",
    kind: "toml",
    text: `watch_path = "/data"\nremote_host = freya\n`,
    errors: [
      "config.toml:2:15: put the value in quotes",
    ],
  },
  {
    name: "a TOML key twice",
    kind: "toml",
    text: `watch_path = "/data"\nwatch_path = "/data2"\n`,
    errors: [
      'config.toml:2:1: "watch_path" is set twice; keep one',
    ],
  },
  {
    name: "a TOML table twice",
    kind: "toml",
    text: `watch_path = "/data"\n[web]\nlisten = 1\n[web]\ntoken = "x"\n`,
    errors: [
      'config.toml:4:2: "web" is set twice; keep one',
    ],
  },
  {
    name: "a quoted key twice in a TOML inline table",
    kind: "toml",
    text: `web = { "listen" = 1, "listen" = 2 }\n`,
    errors: [
      'config.toml:1:23: "listen" is set twice; keep one',
    ],
  },
  {
    name: "an unknown key in TOML",
    kind: "toml",
    text:
      `watch_path = "/data"\nremote_host = "freya"\nremote_base_path = "/images"\n\n[web]\n# page\nlisten = "127.0.0.1:1"\nlisen = 3\n`,
    errors: [
      'config.toml:8:1: unknown key "lisen"; did you mean "listen"?',
    ],
  },
  {
    name: "a wrong value in a TOML list of tables",
    kind: "toml",
    text:
      `[[jobs]]\nname = "a"\nwatch_path = "/data"\n\n[[jobs.destinations]]\nremote_host = "freya"\nremote_base_path = "/a"\n\n[[jobs.destinations]]\nremote_host = "nas"\nremote_base_path = "/a"\nretry_attempts = -1\n`,
    errors: [
      'config.toml:12:1: "retry_attempts" must be a whole number from 0 to 1000, not -1',
    ],
  },
  {
    name: "a wrong value in a TOML inline table",
    kind: "toml",
    text:
      `watch_path = "/data"\ndestinations = [\n  { remote_host = "freya", remote_base_path = "/a" },\n  { remote_host = "nas", remote_base_path = "/a", retry_attempts = 1.5 },\n]\n`,
    errors: [
      'config.toml:4:51: "retry_attempts" must be a whole number from 0 to 1000, not 1.5',
    ],
  },
  {
    name: "a TOML date",
    kind: "toml",
    text: `watch_path = "/data"\nremote_host = "freya"\nremote_base_path = "/images"\nnight_rollover = 12:00:00\n`,
    errors: [
      'config.toml:4:1: "night_rollover" must be a time of day, like 12:00, not "12:00:00"',
    ],
  },
  {
    name: "no watch_path",
    text: `remote_host: freya\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:1:1: "watch_path" is missing: the folder the camera writes to',
    ],
  },
  {
    name: "no host",
    text: `watch_path: /data\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:1:1: "remote_host" is missing: the computer to send images to (for a folder on this computer, set transfer_method: local)',
    ],
  },
  {
    name: "no base path",
    text: `watch_path: /data\nremote_host: freya\n`,
    errors: [
      'config.yaml:1:1: "remote_base_path" is missing: the folder under which files are stored',
    ],
  },
  {
    name: "a key without a value",
    text: `${BASE}rsync_options:\n`,
    errors: [
      'config.yaml:4:1: "rsync_options" has no value; add one or remove the line',
    ],
  },
  {
    name: "a number for text",
    text: `${BASE}remote_user: 17\n`,
    errors: [
      'config.yaml:4:1: "remote_user" must be a user name, not 17',
    ],
  },
  {
    name: "text for a number",
    text: `${BASE}retry_attempts: "3"\n`,
    errors: [
      'config.yaml:4:1: "retry_attempts" must be a whole number from 0 to 1000, not "3"',
    ],
  },
  {
    name: "a YAML 1.1 boolean",
    text: `${BASE}compression: no\n`,
    errors: [
      'config.yaml:4:1: "compression" must be true or false, not "no"',
    ],
  },
  {
    name: "a text for a list",
    text: `${BASE}file_patterns: "*.fits"\n`,
    errors: [
      'config.yaml:4:1: "file_patterns" must be a list of patterns, like ["*.fits", "*.fit"], not "*.fits"',
    ],
  },
  {
    name: "an empty list of patterns",
    text: `${BASE}file_patterns: []\n`,
    errors: [
      'config.yaml:4:1: "file_patterns" must name at least one pattern',
    ],
  },
  {
    name: "a wrong item of a list",
    text: `${BASE}file_patterns:\n  - "*.fits"\n  - 3\n`,
    errors: [
      'config.yaml:6:5: "file_patterns[1]" must be text, not 3',
    ],
  },
  {
    name: "an unknown method",
    text: `${BASE}transfer_method: rsnyc\n`,
    errors: [
      `config.yaml:4:1: "transfer_method" must be ${eitherOf(METHOD_NAMES)}, not "rsnyc"; did you mean "rsync"?`,
    ],
  },
  {
    name: "an unknown method, without what another one needs",
    text: "watch_path: /data\nremote_base_path: /there\ntransfer_method: rsnyc\n",
    errors: [
      `config.yaml:3:1: "transfer_method" must be ${eitherOf(METHOD_NAMES)}, not "rsnyc"; did you mean "rsync"?`,
    ],
  },
  {
    name: "an unknown check",
    text: `${BASE}verify_transfer: md5\n`,
    errors: [
      'config.yaml:4:1: "verify_transfer" must be true, false, "checksum", "size" or "none", not "md5"',
    ],
  },
  {
    name: "an unknown check under its other name",
    text: `${BASE}verify: timestamp\n`,
    errors: [
      'config.yaml:4:1: "verify" is invalid: files with the same modification time may have different bytes; use checksum, or size',
    ],
  },
  {
    name: "a key and its other name",
    text: `${BASE}verify: size\nverify_transfer: true\n`,
    errors: [
      'config.yaml:4:1: "verify" is another name for "verify_transfer", which is also set; keep one',
    ],
  },
  {
    name: "a duration without sense",
    text: `${BASE}rescan_interval: often\n`,
    errors: [
      'config.yaml:4:1: "rescan_interval" must be a duration from 1s to 7d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not "often"',
    ],
  },
  {
    name: "a duration out of bounds",
    text: `${BASE}transfer_timeout_seconds: 0\n`,
    errors: [
      'config.yaml:4:1: "transfer_timeout_seconds" must be a duration from 1s to 1d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not 0',
    ],
  },
  {
    name: "a negative duration",
    text: `${BASE}retry_delay: -5\n`,
    errors: [
      'config.yaml:4:1: "retry_delay" must be a duration from 0ms to 1d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not -5',
    ],
  },
  {
    name: "a size without sense",
    text: `${BASE}log_max_bytes: ten\n`,
    errors: [
      'config.yaml:4:1: "log_max_bytes" must be a size from 10000 bytes, as a number of bytes or with its unit, like 10 MB or 512 KiB, not "ten"',
    ],
  },
  {
    name: "a speed without sense",
    text: `${BASE}bandwidth_limit: fast\n`,
    errors: [
      'config.yaml:4:1: "bandwidth_limit" must be a speed of at least 1 kB/s, as a number of bytes per second or with its unit, like 10 MB/s, 500k, 100 Mbit/s; false means no limit, a list of {from, to, limit} follows the time of day, not "fast"',
    ],
  },
  {
    name: "a speed too low to be meant",
    text: `${BASE}bandwidth_limit: 5\n`,
    errors: [
      'config.yaml:4:1: "bandwidth_limit" must be a speed of at least 1 kB/s, as a number of bytes per second or with its unit, like 10 MB/s, 500k, 100 Mbit/s; false means no limit, a list of {from, to, limit} follows the time of day, not 5',
    ],
  },
  {
    name: "mode bits without sense",
    text: `${BASE}file_mode: rw-r--r--\n`,
    errors: [
      'config.yaml:4:1: "file_mode" must be permissions in octal, like 0664, not "rw-r--r--"',
    ],
  },
  {
    name: "a port out of bounds",
    text: `${BASE}remote_port: 70000\n`,
    errors: [
      'config.yaml:4:1: "remote_port" must be a whole number from 1 to 65535, not 70000',
    ],
  },
  {
    name: "a time zone that is none",
    text: `${BASE}night_timezone: Europe/Atlantis\n`,
    errors: [
      'config.yaml:4:1: "night_timezone" must be a time zone, like Europe/Berlin, not "Europe/Atlantis"',
    ],
  },
  {
    name: "a rollover that is none",
    text: `${BASE}night_rollover: noon\n`,
    errors: [
      'config.yaml:4:1: "night_rollover" must be a time of day, like 12:00, not "noon"',
    ],
  },
  {
    name: "a longitude that is none",
    text: `${BASE}site_longitude: 70W\n`,
    errors: [
      'config.yaml:4:1: "site_longitude" must be a number from -180 to 360, not "70W"',
    ],
  },
  {
    name: "an unknown log level",
    text: `${BASE}log_level: verbose\n`,
    errors: [
      'config.yaml:4:1: "log_level" must be "trace", "debug", "info", "warning", "warn" or "error", not "verbose"',
    ],
  },
  {
    name: "a layout without a name",
    text: `${BASE}layout: "{night}"\n`,
    errors: [
      'config.yaml:4:1: "layout" is invalid: the last part must contain {path}, {name} or {stem}, or files would replace each other',
    ],
  },
  {
    name: "a layout with an unknown placeholder",
    text: `${BASE}layout: "{nite}/{path}"\n`,
    errors: [
      'config.yaml:4:1: "layout" is invalid: {nite} is unknown; use one of {path} {folder} {name} {stem} {ext} {night} {job} {header.KEYWORD}',
    ],
  },
  {
    name: "a layout that leaves the base path",
    text: `${BASE}layout: "../{path}"\n`,
    errors: [
      'config.yaml:4:1: "layout" is invalid: ".." could lead out of remote_base_path',
    ],
  },
  {
    name: "a marker that is always there",
    text: `${BASE}completeness: marker\nmarker: "{name}/done"\n`,
    errors: [
      'config.yaml:5:1: "marker" must be a file name that contains {name}, like {name}.done, without a folder, not "{name}/done"',
    ],
  },
  {
    name: "a relative watch_path",
    text: `watch_path: images\nremote_host: freya\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:1:1: "watch_path" must be an absolute path, beginning with /, ~ or a drive, not "images"',
    ],
  },
  {
    name: "a variable that is not set",
    text: `watch_path: $NOWHERE/images\nremote_host: freya\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:1:1: "watch_path" contains $NOWHERE, which is not set in the environment',
    ],
  },
  {
    name: "another user's home",
    text: `watch_path: ~bob/images\nremote_host: freya\nremote_base_path: ~bob/images\n`,
    errors: [
      'config.yaml:1:1: "watch_path" refers to the home folder of another user, "~bob/images"; write the full path',
      'config.yaml:3:1: "remote_base_path" refers to the home folder of another user, "~bob/images"; write the full path',
    ],
  },
  {
    name: "a way out of the remote folder",
    text: `watch_path: /data\nremote_host: freya\nremote_base_path: /images/../etc\n`,
    errors: [
      'config.yaml:3:1: "remote_base_path" must not contain ".."',
    ],
  },
  {
    name: "a host that is an option",
    text: `watch_path: /data\nremote_host: -oProxyCommand=touch\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "-oProxyCommand=touch"',
    ],
  },
  {
    name: "a host with its user",
    text: `watch_path: /data\nremote_host: observer@freya\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "observer@freya"; write remote_user: observer and remote_host: freya',
    ],
  },
  {
    name: "a host with its folder",
    text: `watch_path: /data\nremote_host: freya:/images\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "freya:/images"; write remote_host: freya and remote_base_path: /images',
    ],
  },
  {
    name: "a host with its user, port and folder",
    text: `watch_path: /data\nremote_host: ssh://observer@freya:2222/images\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "ssh://observer@freya:2222/images"; write remote_user: observer, remote_host: freya, remote_port: 2222 and remote_base_path: /images',
    ],
  },
  {
    name: "a host with its user and a folder in the home",
    text: `watch_path: /data\nremote_host: observer@freya:images\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "observer@freya:images"; write remote_user: observer, remote_host: freya and remote_base_path: images',
    ],
  },
  {
    name: "a host with its port",
    text: `watch_path: /data\nremote_host: freya:22\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "freya:22"; write remote_host: freya and remote_port: 22',
    ],
  },
  {
    name: "a folder for a host",
    text: `watch_path: /data\nremote_host: /mnt/nas\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "/mnt/nas"; for a folder of this computer, set remote_base_path and transfer_method: local',
    ],
  },
  {
    name: "a host with a shell in it",
    text: `watch_path: /data\nremote_host: $(reboot)\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:2:1: "remote_host" must be a host name, an address or an alias from your ssh configuration, not "$(reboot)"',
    ],
  },
  {
    name: "a user that is an option",
    text: `${BASE}remote_user: -l\n`,
    errors: [
      'config.yaml:4:1: "remote_user" must be a user name, not "-l"',
    ],
  },
  {
    name: "a control character",
    text: `watch_path: "/data\\nmore"\nremote_host: freya\nremote_base_path: /images\n`,
    errors: [
      'config.yaml:1:1: "watch_path" must be a folder, without control characters, not "/data\\nmore"',
    ],
  },
  {
    name: "an rsync option that breaks a promise",
    text: `${BASE}rsync_options: [--archive, --inplace]\n`,
    errors: [
      'config.yaml:4:28: "rsync_options" must not contain --inplace: it writes to files that may already be visible',
    ],
  },
  {
    name: "short rsync options with one that breaks a promise",
    text: `${BASE}rsync_options:\n  - -avn\n`,
    errors: [
      'config.yaml:5:5: "rsync_options" must not contain --dry-run in -avn: nothing would be sent; use image-transfer --dry-run',
    ],
  },
  {
    name: "an rsync option with its value apart",
    text: `${BASE}rsync_options: [--bwlimit=500, "5000"]\n`,
    errors: [
      'config.yaml:4:32: "rsync_options" must be an option that begins with -, with its value after =, like --bwlimit=5000, not "5000"',
    ],
  },
  {
    name: "an rsync option that nobody knows",
    text: `${BASE}rsync_options: [--frobnicate]\n`,
    errors: [
      'config.yaml:4:17: "rsync_options" must not contain --frobnicate: it is not known to be safe. Allowed: --bwlimit=…, --compress, --compress-level=…, --compress-choice=…, --skip-compress=…, --whole-file, --no-whole-file, --chmod=…, --chown=…, --owner, --group, --numeric-ids, --usermap=…, --groupmap=…, --acls, --xattrs, --omit-dir-times, --ipv4, --ipv6, --sockopts=…, --block-size=…, --checksum-choice=…, --open-noatime',
    ],
  },
  {
    name: "a folder of Windows as a local destination of another system",
    text: "watch_path: /data\ntransfer_method: local\nremote_base_path: D:\\images\n",
    errors: [
      'config.yaml:3:1: "remote_base_path" is a Windows path, "D:\\images", but this computer does not run Windows; use a path on this computer, or set remote_host',
    ],
  },
  {
    name: "the destination in the watched folder",
    text: `watch_path: /data\ntransfer_method: local\nremote_base_path: /data/sent\n`,
    errors: [
      "config.yaml:3:1: the destination /data/sent and the watched folder /data overlap: files would be sent in a loop",
    ],
  },
  {
    name: "the watched folder in the destination",
    text: `watch_path: /data/new\ntransfer_method: local\nremote_base_path: /data\n`,
    errors: [
      "config.yaml:3:1: the destination /data and the watched folder /data/new overlap: files would be sent in a loop",
    ],
  },
  {
    name: "jobs in a ring",
    text:
      `transfer_method: local\njobs:\n  - { name: a, watch_path: /a, remote_base_path: /b }\n  - { name: b, watch_path: /b, remote_base_path: /a }\n`,
    errors: [
      'config.yaml:3:32: files would be sent in a loop: from the job "a" to "b" and back',
      'config.yaml:4:32: files would be sent in a loop: from the job "b" to "a" and back',
    ],
  },
  {
    name: "two jobs of one name",
    text:
      `remote_host: freya\nremote_base_path: /images\njobs:\n  - { name: a, watch_path: /a }\n  - { name: A, watch_path: /b }\n`,
    errors: [
      'config.yaml:5:7: there are two jobs named "A"; names must be unique',
    ],
  },
  {
    name: "two destinations of one name",
    text:
      `watch_path: /data\ndestinations:\n  - { remote_host: freya, remote_base_path: /a }\n  - { remote_host: freya, remote_base_path: /b }\n`,
    errors: [
      'config.yaml:4:5: there are two destinations named "freya"; names must be unique',
    ],
  },
  {
    name: "the same destination twice",
    text:
      `watch_path: /data\ndestinations:\n  - { name: a, remote_host: freya, remote_base_path: /a }\n  - { name: b, remote_host: freya, remote_base_path: /a/ }\n`,
    errors: [
      "config.yaml:4:5: this destination has the same folder as another destination of the same job",
    ],
  },
  {
    name: "a job without a name",
    text: `${BASE}jobs:\n  - watch_path: /a\n`,
    errors: [
      'config.yaml:5:5: "name" is missing; it must be a name',
    ],
  },
  {
    name: "a name with a slash",
    text: `${BASE}jobs:\n  - name: a/b\n`,
    errors: [
      'config.yaml:5:5: "name" must be a name of letters, digits, spaces and . _ - (at most 64 characters), not "a/b"',
    ],
  },
  {
    name: "jobs that are no list",
    text: `${BASE}jobs: spring\n`,
    errors: [
      'config.yaml:4:1: "jobs" must be a list of jobs, not "spring"',
    ],
  },
  {
    name: "a job that is no section",
    text: `${BASE}jobs: [spring]\n`,
    errors: [
      'config.yaml:4:8: "jobs" must be a section, like { name: spring, watch_path: /data, … }',
    ],
  },
  {
    name: "an empty list of jobs",
    text: `${BASE}jobs: []\n`,
    errors: [
      'config.yaml:4:1: "jobs" must have at least one job',
    ],
  },
  {
    name: "a key of the program in a job",
    text: `${BASE}jobs:\n  - name: a\n    log_level: debug\n`,
    errors: [
      'config.yaml:6:5: "log_level" is not allowed in a job; it belongs at the top of the file',
    ],
  },
  {
    name: "a mistake in one destination of many",
    text:
      `watch_path: /data\ndestinations:\n  - { remote_host: freya, remote_base_path: /a }\n  - remote_host: nas\n    remote_base_path: /a\n    paralel_transfers: 3\n    order: random\n`,
    errors: [
      'config.yaml:6:5: unknown key "paralel_transfers"; did you mean "parallel_transfers"?',
      'config.yaml:7:5: "order" must be "oldest_first" or "newest_first", not "random"',
    ],
  },
  {
    name: "growing files in words",
    text: `${BASE}growing_files: always\n`,
    errors: [
      'config.yaml:4:1: "growing_files" must be true, false or a section with min_size_mb, safety_margin_mb, growth_timeout_seconds, not "always"',
    ],
  },
  {
    name: "growing files with bad keys",
    text: `${BASE}growing_files: { min_size_mb: -5, growth_timeout_seconds: never, safety_marginmb: 3 }\n`,
    errors: [
      'config.yaml:4:18: "growing_files.min_size_mb" must be a number from 0 to 1000000000, not -5',
      'config.yaml:4:35: "growing_files.growth_timeout_seconds" must be a duration from 1s to 1d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not "never"',
      'config.yaml:4:66: unknown key "safety_marginmb"; did you mean "safety_margin_mb"?',
    ],
  },
  {
    name: "rclone without a remote",
    text: "watch_path: /data\ntransfer_method: rclone\nremote_base_path: bucket/images\n",
    errors: [
      'config.yaml:1:1: "remote" is missing: the name of an rclone remote, or write it into remote_base_path, like s3remote:bucket/images',
    ],
  },
  {
    name: "rclone with a drive of Windows",
    text: "watch_path: /data\ntransfer_method: rclone\nremote_base_path: C:/images\n",
    errors: [
      'config.yaml:3:1: "remote_base_path" begins with the drive "C:", not with the name of a remote, like s3remote:bucket/images; for a folder on this computer, set transfer_method: local',
    ],
  },
  {
    name: "rclone with a remote that is described in the path, with its secret",
    text: "watch_path: /data\ntransfer_method: rclone\nremote_base_path: ':s3,secret_access_key=abc:bucket'\n",
    errors: [
      'config.yaml:3:1: "remote_base_path" must begin with the name of a remote, as "rclone listremotes" shows it',
    ],
  },
  {
    name: "rclone with a remote that cannot be a name",
    text: "watch_path: /data\ntransfer_method: rclone\nremote: 's3,env_auth=true'\nremote_base_path: bucket\n",
    errors: ['config.yaml:3:1: "remote" must be the name of a remote, as "rclone listremotes" shows it'],
  },
  {
    name: "an unknown schedule",
    text: `${BASE}schedule: often\n`,
    errors: [
      'config.yaml:4:1: "schedule" must be "continuous", "manual" or a section, like {interval: 5m}, {cron: "0 6 * * *"} or {from: "06:00", to: "18:00"}, not "often"',
    ],
  },
  {
    name: "a schedule with two meanings",
    text: `${BASE}schedule: { interval: 5m, cron: "0 6 * * *" }\n`,
    errors: [
      'config.yaml:4:1: "schedule" must have one of interval, interval_hours, cron, and from with to',
    ],
  },
  {
    name: "a schedule without a meaning",
    text: `${BASE}schedule: { timezone: Europe/Berlin }\n`,
    errors: [
      'config.yaml:4:1: "schedule" must have one of interval, interval_hours, cron, and from with to',
    ],
  },
  {
    name: "a schedule with a bad cron expression",
    text: `${BASE}schedule: { cron: "61 * * * *" }\n`,
    errors: [
      'config.yaml:4:13: "schedule.cron" must be a cron expression: Invalid value for minute: 61, not "61 * * * *"',
    ],
  },
  {
    name: "a schedule with too few cron fields",
    text: `${BASE}schedule: { cron: "5 *" }\n`,
    errors: [
      'config.yaml:4:13: "schedule.cron" must be five or six cron fields, like 0 */10 6 * * *, not "5 *"',
    ],
  },
  {
    name: "a schedule that never comes",
    text: `${BASE}schedule: { cron: "0 0 31 2 *" }\n`,
    errors: [
      'config.yaml:4:13: "schedule.cron" must match some date, not "0 0 31 2 *"',
    ],
  },
  {
    name: "a schedule with half a window",
    text: `${BASE}schedule: { from: "06:00" }\n`,
    errors: [
      'config.yaml:4:1: "schedule" must have both from and to',
    ],
  },
  {
    name: "a schedule with an empty window",
    text: `${BASE}schedule: { from: "06:00", to: "06:00" }\n`,
    errors: [
      'config.yaml:4:28: "schedule.to" must be another time than from, not "06:00"',
    ],
  },
  {
    name: "a schedule with a bad time of day",
    text: `${BASE}schedule: { from: "6 o'clock", to: "18:00" }\n`,
    errors: [
      'config.yaml:4:13: "schedule.from" must be a time of day, like 06:00, not "6 o\'clock"',
    ],
  },
  {
    name: "a schedule in an unknown time zone",
    text: `${BASE}schedule: { cron: "0 6 * * *", timezone: Berlin }\n`,
    errors: [
      'config.yaml:4:32: "schedule.timezone" must be a time zone, like Europe/Berlin, not "Berlin"',
    ],
  },
  {
    name: "a schedule that is too quick",
    text: `${BASE}schedule: { interval: 5ms }\n`,
    errors: [
      'config.yaml:4:13: "schedule.interval" must be a duration from 1s to 30d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not "5ms"',
    ],
  },
  {
    name: "a misspelt key of a schedule",
    text: `${BASE}schedule: { intervall: 5m }\n`,
    errors: [
      'config.yaml:4:13: unknown key "intervall"; did you mean "interval"?',
    ],
  },
  {
    name: "a negative cooldown",
    text: `${BASE}cooldown_seconds: -5\n`,
    errors: [
      'config.yaml:4:1: "cooldown_seconds" must be a duration from 0ms to 1d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not -5',
    ],
  },
  {
    name: "a hook without a receiver",
    text: `${BASE}hooks: [{ on: [ready] }]\n`,
    errors: [
      'config.yaml:4:9: "hooks[0]" must have a command or a url',
    ],
  },
  {
    name: "a hook with two receivers",
    text: `${BASE}hooks: [{ on: [ready], command: [echo], url: "https://a.example/b" }]\n`,
    errors: [
      'config.yaml:4:9: "hooks[0]" must have a command or a url, not both',
    ],
  },
  {
    name: "a hook on an unknown event",
    text: `${BASE}hooks: [{ on: [reday], command: [echo] }]\n`,
    errors: [
      'config.yaml:4:16: "hooks[0].on[0]" must be "created", "changed", "removed", "ready", "delivered", "failed", "held", "resumed", "scheduled" or "report", not "reday"; did you mean "ready"?',
    ],
  },
  {
    name: "a hook on nothing",
    text: `${BASE}hooks: [{ on: [], command: [echo] }]\n`,
    errors: [
      'config.yaml:4:11: "hooks[0].on" must name at least one event',
    ],
  },
  {
    name: "a hook with a misspelt key",
    text: `${BASE}hooks: [{ on: [ready], comand: [echo] }]\n`,
    errors: [
      'config.yaml:4:24: unknown key "comand"; did you mean "command"?',
    ],
  },
  {
    name: "a hook with an unknown placeholder",
    text: `${BASE}hooks: [{ on: [ready], command: [echo, "{paht}"] }]\n`,
    errors: [
      'config.yaml:4:24: "hooks[0].command" must have known placeholders only, {event}, {at}, {job}, {trigger_type}, {path}, {name}, {size}, {destination}, {target}, {method}, {sha256}, {night}, {error}, {text}; {paht} is none',
    ],
  },
  {
    name: "a hook with a bad url",
    text: `${BASE}hooks: [{ on: [ready], url: "ftp://a.example" }]\n`,
    errors: [
      'config.yaml:4:24: "hooks[0].url" must be the address of a webhook, like https://chat.example/hooks/abc',
    ],
  },
  {
    name: "a hook for ntfy without a topic",
    text: `${BASE}hooks: [{ on: [held], url: "https://ntfy.sh/", format: ntfy }]\n`,
    errors: [
      'config.yaml:4:23: "hooks[0].url" must end with the topic, like https://ntfy.sh/my-topic',
    ],
  },
  {
    name: "a hook for Telegram without a chat",
    text: `${BASE}hooks: [{ on: [held], url: "https://api.telegram.org/bot1:a/sendMessage", format: telegram }]\n`,
    errors: [
      'config.yaml:4:9: "hooks[0].chat_id" is missing; it must be set with format: telegram, and only with it',
    ],
  },
  {
    name: "a hook that signs a command",
    text: `${BASE}hooks: [{ on: [ready], command: [echo], secret: geheim }]\n`,
    errors: [
      'config.yaml:4:41: "hooks[0].secret" must be left out: it is for webhooks',
    ],
  },
  {
    name: "a hook for an unknown destination",
    text: `${BASE}hooks: [{ on: [ready], command: [echo], destinations: [freia] }]\n`,
    errors: [
      'config.yaml:4:1: "hooks" names an unknown destination, "freia"; did you mean "freya"?',
    ],
  },
  {
    name: "a report that nobody receives",
    text: `${BASE}report: { at: "07:00" }\n`,
    errors: [
      'config.yaml:4:1: "report.to" is missing: the webhook that receives it, or a hook on report',
    ],
  },
  {
    name: "a mirror without proof",
    text: `${BASE}delete_destination_files: true\nverify_transfer: size\n`,
    errors: [
      'config.yaml:4:1: "delete_destination_files" needs verify_transfer: true at every mirror; "freya" has size',
    ],
  },
  {
    name: "a brake of a mirror that is neither a number nor a share",
    text: `${BASE}max_delete: many\nkeep_deleted: 1 lightyear\n`,
    errors: [
      'config.yaml:4:1: "max_delete" must be a number of files, or a share like "10%", not "many"',
      'config.yaml:5:1: "keep_deleted" must be a duration from 0ms to 3650d, as a number of seconds or with its unit, like 500ms, 30s, 5m, 2h, not "1 lightyear"',
    ],
  },
  {
    name: "a brake of a mirror over 100%",
    text: `${BASE}max_delete: 101%\n`,
    errors: [
      'config.yaml:4:1: "max_delete" must be a number of files, or a share like "10%", not "101%"; did you mean "10%"?',
    ],
  },
  {
    name: "deleting at the destination",
    text: `${BASE}delete_destination_files: true\ndelete_source: true\n`,
    errors: [
      'config.yaml:4:1: "delete_destination_files" cannot be used with "delete_source": what is removed here after delivery would be removed there as well',
    ],
  },
  {
    name: "a mirror of files that another job removes",
    text:
      `remote_host: freya\njobs:\n  - { name: a, watch_path: /data, remote_base_path: /a, delete_source: true }\n  - { name: b, watch_path: /data/x, remote_base_path: /b, delete_destination_files: true }\n  - { name: c, watch_path: /data, file_patterns: ["*.log"], remote_base_path: /c, delete_destination_files: true }\n  - { name: d, watch_path: /other, remote_base_path: /d, delete_destination_files: true }\n`,
    errors: [
      'config.yaml:4:59: "delete_destination_files" cannot be used while the job "a" removes the same files here (delete_source): they would be removed there as well',
    ],
  },
  {
    name: "PocketBase",
    text: `${BASE}pocketbase: { url: http://localhost:8090 }\n`,
    errors: [
      'config.yaml:4:1: "pocketbase.admin_email" is missing; it must be an email address',
    ],
  },
  {
    name: "PocketBase without a password",
    text: `${BASE}pocketbase: { url: http://localhost:8090, admin_email: a@example.org }\n`,
    errors: ['config.yaml:4:1: "pocketbase" needs "admin_password" or "admin_password_file"'],
  },
  {
    name: "an order of other computers that there is none of",
    text: `${BASE}pocketbase: { url: http://localhost:8090, admin_email: a@example.org, admin_password: x, may_do: [retri] }\n`,
    errors: [
      'config.yaml:4:99: "pocketbase.may_do[0]" must be "pause", "resume", "retry" or "scan", not "retri"; did you mean "retry"?',
    ],
  },
  {
    name: "a timetable of the bandwidth with an unknown key",
    text: `${BASE}bandwidth_limit: [{ from: "22:00", to: "06:00", limt: 1 MB/s }]\n`,
    errors: [
      'config.yaml:4:19: "bandwidth_limit[0].limit" is missing; it must be a speed of at least 1 kB/s, as a number of bytes per second or with its unit, like 10 MB/s, 500k, 100 Mbit/s; false means no limit',
      'config.yaml:4:49: unknown key "limt"; did you mean "limit"?',
    ],
  },
  {
    name: "a timetable of the bandwidth with bad values",
    text: `${BASE}bandwidth_limit: [{ from: "22:00", to: "6 o'clock", limit: fast }]\n`,
    errors: [
      `config.yaml:4:36: "bandwidth_limit[0].to" must be a time of day, like 06:00, not "6 o'clock"`,
      'config.yaml:4:53: "bandwidth_limit[0].limit" must be a speed of at least 1 kB/s, as a number of bytes per second or with its unit, like 10 MB/s, 500k, 100 Mbit/s; false means no limit, not "fast"',
    ],
  },
  {
    name: "a timetable of the bandwidth without its times",
    text: `${BASE}bandwidth_limit: [{ limit: 1 MB/s }]\n`,
    errors: [
      'config.yaml:4:19: "bandwidth_limit[0].from" is missing; it must be a time of day, like 20:00',
      'config.yaml:4:19: "bandwidth_limit[0].to" is missing; it must be a time of day, like 06:00',
    ],
  },
  {
    name: "a timetable of the bandwidth that overlaps after midnight",
    text:
      `${BASE}bandwidth_limit: [{ from: "20:00", to: "06:00", limit: 1 MB/s }, { from: "05:30", to: "08:00", limit: 2 MB/s }]\n`,
    errors: [
      'config.yaml:4:66: "bandwidth_limit[1]" is invalid: 05:30 to 08:00 overlaps 20:00 to 06:00',
    ],
  },
  {
    name: "a timetable of the bandwidth with an entry of no length",
    text: `${BASE}bandwidth_limit: [{ from: "20:00", to: "20:00", limit: 1 MB/s }]\n`,
    errors: [
      'config.yaml:4:36: "bandwidth_limit[0].to" must be another time than from, not "20:00"',
    ],
  },
  {
    name: "a page for others without protection",
    text: `${BASE}web: { listen: 0.0.0.0:9090 }\n`,
    errors: [
      'config.yaml:4:8: "web.listen" lets other computers connect at 0.0.0.0; this also requires "token", "tls_cert" and "tls_key"',
    ],
  },
  {
    name: "a page at no address",
    text: `${BASE}web: { listen: "here" }\n`,
    errors: [
      'config.yaml:4:8: "web.listen" must be an address and a port, like 127.0.0.1:9090, not "here"',
    ],
  },
  {
    name: "a short token",
    text: `${BASE}web: { token: secret }\n`,
    errors: [
      'config.yaml:4:8: "web.token" must be text of at least 16 characters',
    ],
  },
  {
    name: "a certificate without its key",
    text: `${BASE}web: { tls_cert: /etc/cert.pem }\n`,
    errors: [
      'config.yaml:4:8: "web.tls_cert" and "web.tls_key" must be set together; one is missing',
    ],
  },
  {
    name: "web without sense",
    text: `${BASE}web: yes please\n`,
    errors: [
      'config.yaml:4:1: "web" must be false, true or a section',
    ],
  },
  {
    name: "ftp with two passwords",
    text: `${BASE}transfer_method: ftp\npassword: a\npassword_file: /p\n`,
    errors: [
      'config.yaml:6:1: "password" and "password_file" are both set; keep one',
    ],
  },
  {
    name: "ftps with wrong keys",
    text: `${BASE}transfer_method: ftps\ntls_mode: starttls\ntls_ca: ca.pem\npassword: $NO_SUCH\nremote_port: 0\n`,
    errors: [
      'config.yaml:5:1: "tls_mode" must be "explicit" or "implicit", not "starttls"',
      'config.yaml:6:1: "tls_ca" must be an absolute path, beginning with /, ~ or a drive, not "ca.pem"',
      'config.yaml:7:1: "password" contains $NO_SUCH, which is not set in the environment',
      'config.yaml:8:1: "remote_port" must be a whole number from 1 to 65535, not 0',
    ],
  },
  {
    name: "certificates with ftp, which has no TLS",
    text: `${BASE}transfer_method: ftp\ntls_ca: /ca.pem\n`,
    errors: [
      'config.yaml:5:1: "tls_ca" is for transfer_method: ftps; ftp sends everything in clear, the password too',
    ],
  },
  {
    name: "a PocketBase without TLS, in capital letters",
    text: `${BASE}pocketbase: { url: "HTTP://pb.example", admin_email: a@example.org, admin_password: geheim-7 }\n`,
    errors: [
      'config.yaml:4:15: "pocketbase.url" must not be http: it sends the password in clear; use https, or, where nobody else can listen, set "allow_http: pb.example"',
    ],
  },
  {
    name: "certificates for a PocketBase without TLS",
    text:
      `${BASE}pocketbase: { url: "http://pb.example", admin_email: a@example.org, admin_password: geheim-7, tls_ca: /ca.pem }\n`,
    errors: [
      'config.yaml:4:15: "pocketbase.url" must not be http: it sends the password in clear; use https, or, where nobody else can listen, set "allow_http: pb.example"',
      'config.yaml:4:95: "pocketbase.tls_ca" is for an https URL; http sends everything in clear, the password too',
    ],
  },
  {
    name: "a PocketBase whose address only looks like this computer's, and http allowed for another one",
    text:
      `${BASE}pocketbase: { url: "http://localhost.pb.example:8090", allow_http: localhost, admin_email: a@example.org, admin_password: geheim-7 }\n`,
    errors: [
      'config.yaml:4:15: "pocketbase.url" must not be http: it sends the password in clear; use https, or, where nobody else can listen, set "allow_http: localhost.pb.example"',
    ],
  },
  {
    name: "hidden folders for jobs of a server",
    text:
      `${BASE}pocketbase: { url: "http://10.0.0.5:8090", allow_http: 10.0.0.5, admin_email: a@example.org, admin_password: geheim-7, may_watch: [~/.ssh], may_send_to: [images/.x] }\n`,
    errors: [
      'config.yaml:4:120: "pocketbase.may_watch" cannot allow hidden folders, "~/.ssh"',
    ],
  },
  {
    name: "prototype keys",
    text: `${BASE}__proto__: { a: 1 }\nconstructor: 1\n`,
    errors: [
      'config.yaml:4:1: unknown key "__proto__"; "image-transfer config schema" lists all known keys',
      'config.yaml:5:1: unknown key "constructor"; "image-transfer config schema" lists all known keys',
    ],
  },
  {
    name: "seed 2: a watcher without its job",
    kind: "toml",
    text:
      `[[sync_jobs]]\nid = "documents"\nsource_path = "/a"\ndestination_path = "/b"\n\n[[file_watchers]]\nid = "w"\nsync_job_id = "document"\n`,
    errors: [
      'config.toml:8:1: no sync job has the id "document"; did you mean "documents"?',
    ],
  },
  {
    name: "seed 2: an unknown key",
    kind: "toml",
    text:
      `[daemon]\nlog_levle = "info"\n\n[[sync_jobs]]\nid = "documents"\nsource_path = "/a"\ndestination_path = "/b"\n\n[sync_jobs.sync_options]\ncomparison_method = "mtime"\n`,
    errors: [
      'config.toml:2:1: unknown key "log_levle"; did you mean "log_level"?',
      'config.toml:10:1: "comparison_method" is invalid: files with the same modification time may have different bytes; use checksum, or size',
    ],
  },
];

for (const { name, kind = "yaml", text, errors } of ROWS) {
  Deno.test(`parseSettings() refuses ${name}`, () => {
    const error = assertThrows(() => parseSettings(text, `config.${kind}`, kind, aComputer()), ConfigError);
    assertEquals(error.message.split("\n"), errors);
    assertEquals(error.code, "configuration");
  });
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
