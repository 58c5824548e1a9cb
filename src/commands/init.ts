/** `init`: writes a commented configuration to begin with, and asks on a terminal for what it must say. */
import { object } from "@optique/core/constructs";
import { choice } from "@optique/core/valueparser";
import { format as formatBytes } from "@std/fmt/bytes";
import { kindOf } from "../config/read/load.ts";
import { parseSettings } from "../config/read/parse_settings.ts";
import { absolutePath, userConfigFile } from "../config/read/find_config.ts";
import type { Job } from "../config/settings.ts";
import { METHOD_KEYS, METHOD_NAMES } from "../config/schema/schema_methods.ts";
import { type Answers, sampleConfig } from "../config/show/show.ts";
import { Failure } from "../domain/failure.ts";
import { pathField, printable } from "../domain/names/printable.ts";
import { reasonOf } from "../domain/names/reason.ts";
import { observingNight } from "../domain/night/night.ts";
import { isDeep, patternsOf } from "../intake/patterns.ts";
import { amount } from "../intake/watch/left_aside.ts";
import { shellQuote } from "../methods/shell/shell_quote.ts";
import { faultOf } from "../system/fault.ts";
import type { System } from "../system/system.ts";
import { defineCommand, EXIT, refused, type Tools } from "./command.ts";
import { flag, given, pathValue, text } from "./options.ts";
import { destinationHere, settingsOfKeys } from "./text/word_keys.ts";

/** Where and how the configuration is written. */
export interface InitInput {
  readonly output: string | undefined;
  readonly config: string | undefined;
  readonly force: boolean;
  readonly yes: boolean;
  readonly format: "yaml" | "toml" | undefined;
  /** With `to`: what the wizard would ask. */
  readonly watch?: string | undefined;
  readonly to?: string | undefined;
}

/** Exit code 2 where the person asked breaks off: then nothing is written. */
export const init = defineCommand({
  name: "init",
  help: "Create a commented configuration (also --create-config)",
  parser: object({
    output: given(["-o", "--output"], pathValue("FILE"), "File to write (default: the user's configuration)"),
    config: given(["-c", "--config"], pathValue("FILE"), "Same as --output"),
    force: flag("--force", "Overwrite an existing file"),
    watch: given("--watch", pathValue("DIR"), "Folder the camera writes to; with --to, nothing is asked"),
    to: given("--to", text("DEST"), "Destination: a folder, user@host:/path, sftp://host/path, ftp://host/path or remote:bucket"),
    yes: flag(["-y", "--yes"], "Do not ask; write examples"),
    format: given("--format", choice(["yaml", "toml"]), "yaml or toml (default: by the file name)"),
  }),
  run: writeConfig,
});

/** Writes the file with mode 0600; a file that is there stays unless forced. */
export async function writeConfig(input: InitInput, tools: Tools): Promise<number> {
  const { system } = tools;
  const named = input.output ?? input.config;
  const usual = userConfigFile(system).replace(/yaml$/, input.format ?? "yaml");
  const path = named === undefined ? usual : absolutePath(named, tools.cwd, system);
  const there = await system.followedFacts(path).catch((cause) => {
    throw cannotWrite(path, reasonOf(cause), "Choose another place with --output FILE.", cause);
  });
  if (there?.kind === "folder") throw cannotWrite(path, "it is a folder", "Specify a file.");
  if (there?.kind === "other") throw cannotWrite(path, "it is a device or a pipe", "To print it, use config generate.");
  if (there !== null && !input.force) {
    throw cannotWrite(path, "the file already exists", "--force overwrites it; --output FILE writes a different file.");
  }
  const given = input.watch === undefined && input.to === undefined ? null : answersGiven(input, tools);
  const prompt = tools.isTerminal && !input.yes && given === null ? tools.prompt : undefined;
  const answers = prompt === undefined ? given : await ask(prompt, tools);
  if (prompt !== undefined && answers === null) return refused("Nothing was written.", tools);
  const folder = path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")));
  try {
    if (folder !== "") await system.makeFolder(folder, 0o700);
    await system.writeText(path, sampleConfig(input.format ?? kindOf(path), answers), 0o600);
  } catch (cause) {
    const inTheWay = ["exists", "not_a_folder"].includes(faultOf(cause));
    const reason = inTheWay ? `cannot create the folder "${folder}": a file has that name` : reasonOf(cause);
    throw cannotWrite(path, reason, "Choose another place with --output FILE.", cause);
  }
  const before = given === null ? null : await filesThere(String(given["watch_path"]), tools);
  if (before !== null) {
    tools.stderr(`${before} are there already and will be sent. To send only new ones, set newer_than: now\n`);
  }
  const word = system.platform === "windows" ? pathField(path) : shellQuote(path);
  const option = path === userConfigFile(system) ? "" : ` -c ${word}`;
  tools.stderr(
    [
      `Wrote ${path}`,
      "Next:",
      ...answers === null ? ["  edit the file: lines without a # are examples"] : [],
      `  image-transfer doctor${option}    checks that everything is reachable`,
      `  image-transfer -v${option}        runs it and shows what it does`,
    ].map((line) => `${line}\n`).join(""),
  );
  return EXIT.done;
}

/** What `--watch` and `--to` say, as the wizard would ask it. @throws {Failure} where it cannot be used. */
function answersGiven({ watch, to }: InitInput, { system, cwd }: Tools): Readonly<Record<string, string | number>> {
  if (watch === undefined || to === undefined) throw new Failure("configuration", "--watch and --to must be used together");
  if (watch.trim() === "") {
    throw new Failure("configuration", "--watch is empty", { hint: "Specify the folder that the camera writes to." });
  }
  const answers = { watch_path: absolutePath(watch, cwd, system), ...destinationHere(to, { system, cwd }) };
  settingsOfKeys(answers, system);
  return answers;
}

function cannotWrite(path: string, reason: string, hint: string, cause?: unknown): Failure {
  return new Failure("configuration", `Cannot write the configuration "${path}": ${reason}`, { hint, cause });
}

/** What a configuration needs besides what is being checked. */
const AROUND = { remote_host: "example", remote_base_path: "/elsewhere/for/a/check" };

function uses(key: string, { transfer_method: method = "auto" }: Answers): boolean {
  return key in METHOD_KEYS[method.toLowerCase() as keyof typeof METHOD_KEYS];
}

/** One question and what becomes of its answer. */
interface Question {
  readonly key: string;
  /** Null where there is nothing to ask after all. */
  readonly text: string | ((answers: Answers, tools: Tools) => Promise<string | null>);
  /** Taken for an empty answer; null where one must be given, "" where none is fine. */
  readonly suggestion: string | null;
  /** Asked only if this is true for the answers so far. */
  readonly when?: (answers: Answers) => boolean;
  /** A remark about a valid answer; null if there is none. */
  readonly remark?: (answer: string, tools: Tools) => Promise<string | null>;
  /** What these words mean as an answer; null leaves the key out. Any other answer must be a value of the key. */
  readonly words?: Readonly<Record<string, (now: number) => string | null>>;
}

const QUESTIONS: readonly Question[] = [
  {
    key: "watch_path",
    text: "Which folder does the camera write to?",
    suggestion: "~/images",
    async remark(answer, { system }) {
      const folder = jobWatching(answer, system).watchPath;
      const facts = await system.followedFacts(folder).catch(() => null);
      if (facts?.kind === "folder") return null;
      return facts === null
        ? `The folder "${printable(folder)}" does not exist yet; it will be watched as soon as it appears.`
        : `"${printable(folder)}" is not a folder: enter the folder that contains the images.`;
    },
  },
  { key: "transfer_method", text: `Transfer method (${METHOD_NAMES.join(", ")})?`, suggestion: "auto" },
  {
    key: "remote_host",
    text: "Remote computer (name, address or ssh alias)?",
    suggestion: null,
    when: (answers) => uses("remote_host", answers),
  },
  {
    key: "remote_user",
    text: "Remote user (empty: as in your ssh configuration)?",
    suggestion: "",
    when: (answers) => uses("compression", answers),
  },
  {
    key: "remote_user",
    text: "User name at the server (empty: anonymous)?",
    suggestion: "",
    when: (answers) => uses("password_file", answers),
  },
  {
    key: "password_file",
    text: "File that contains the password (mode 0600)?",
    suggestion: "~/.config/image-transfer/ftp-password",
    when: (answers) => uses("password_file", answers) && answers["remote_user"] !== undefined,
  },
  { key: "remote_base_path", text: "Destination folder (with rclone: remote:path)?", suggestion: null },
  {
    key: "newer_than",
    async text({ watch_path = "" }, tools) {
      const found = await filesThere(watch_path, tools);
      return found && `${found} are there already: send all, or from today on (all, today, or a date)?`;
    },
    suggestion: null,
    words: {
      all: () => null,
      // At one o'clock in the morning, the night that is being observed is meant.
      today: (now) =>
        observingNight(now, { timezone: null, rollover: "12:00", siteLongitude: null }).replace(/^(....)(..)/, "$1-$2-"),
    },
  },
];

/** The answers; those left empty are not in it. Null when the input ended before the last question. */
async function ask(prompt: (question: string) => Promise<string | null>, tools: Tools): Promise<Answers | null> {
  const { system, stderr } = tools;
  let answers: Answers = {};
  for (const { key, suggestion, when, remark, words = {}, ...question } of QUESTIONS) {
    if (when && !when(answers)) continue;
    const text = typeof question.text === "string" ? question.text : await question.text(answers, tools);
    if (text === null) continue;
    for (;;) {
      const given = await prompt(suggestion ? `${text} [${suggestion}]` : text);
      if (given === null) return null;
      const answer = given.trim() || suggestion;
      if (answer === "") break;
      const word = Object.entries(words).find(([word]) => word === answer?.toLowerCase())?.[1];
      const fault = answer === null ? "An answer is required." : word ? null : whyNot(key, answer, answers, system);
      if (fault !== null || answer === null) {
        stderr(`${fault}\n`);
        continue;
      }
      const meant = word === undefined ? answer : word(system.now());
      if (meant !== null) answers = { ...answers, [key]: meant };
      const said = await remark?.(answer, tools);
      if (said) stderr(`${said}\n`);
      break;
    }
  }
  return answers;
}

/** What is wrong with an answer, as the configuration would check it; null when it is fine. */
function whyNot(key: string, value: string, answers: Answers, system: System): string | null {
  try {
    const elsewhere = key === "remote_base_path" ? AROUND : { ...AROUND, remote: "example" };
    parseSettings(JSON.stringify({ watch_path: system.home, ...elsewhere, ...answers, [key]: value }), "", "yaml", system);
    return null;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error.message.split("\n")[0]!.replace(/^:\d+:\d+: /, "");
  }
}

function jobWatching(folder: string, system: System): Job {
  return parseSettings(JSON.stringify({ ...AROUND, watch_path: folder }), "", "yaml", system).jobs[0]!;
}

/** `41,200 files, 3.1 TB`: the images that are in a folder; null where there are none, or it cannot be listed. */
async function filesThere(written: string, { system, signal }: Pick<Tools, "system" | "signal">): Promise<string | null> {
  const job = jobWatching(written, system);
  const patterns = patternsOf(job);
  const until = system.monotonic() + COUNTING_MS;
  let [files, bytes] = [0, 0];
  let isAll = true;
  try {
    const options = { recursive: isDeep(job), skipHidden: job.ignoreHiddenFiles };
    for await (const batch of system.walk(job.watchPath, options, signal)) {
      for (const { path, size } of batch.files) {
        if (!patterns.wants(path)) continue;
        files += 1;
        bytes += size;
      }
      isAll = system.monotonic() < until;
      if (!isAll) break;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (faultOf(error) === "other") throw error;
  }
  return files === 0 ? null : `${isAll ? "" : "More than "}${amount(files)}, ${formatBytes(bytes)}`;
}

/** Nobody waits longer for a number. */
const COUNTING_MS = 10_000;
