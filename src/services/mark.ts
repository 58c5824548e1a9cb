/**
 * The mark that an installed definition carries: what uninstall-service and `service` need to know later, even when the
 * configuration is gone. One line of JSON that comments of units and XML can hold.
 *
 * @module
 */
import * as z from "zod";
import { xmlPlain } from "./fill_template.ts";
import type { ServiceRequest } from "./service.ts";

const mark = z.object({
  program: z.string(),
  copied: z.boolean(),
  config: z.string(),
  account: z.string(),
  home: z.string(),
  state: z.string(),
  log: z.string(),
});

/** See the module. */
export type Mark = z.infer<typeof mark>;

const BEGIN = "image-transfer-service: ";

/** The mark of a request. A comment of XML may not hold `--`, so no two hyphens follow each other. */
export function writeMark(request: ServiceRequest): string {
  const content: Mark = {
    program: request.program,
    copied: request.copied,
    config: request.config,
    account: request.account.name,
    home: request.account.home,
    state: request.stateDirectory,
    log: request.logFile,
  };
  return BEGIN + JSON.stringify(content).replaceAll("-", "\\u002d");
}

/** The mark in a definition; null when it has none: somebody else's, or changed by hand. */
export function readMark(definition: string): Mark | null {
  const at = definition.indexOf(BEGIN);
  if (at < 0) return null;
  const line = /^.*\}/.exec(definition.slice(at + BEGIN.length))?.[0] ?? "";
  for (const text of [line, xmlPlain(line)]) {
    try {
      const { data } = mark.safeParse(JSON.parse(text));
      if (data) return data;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return null;
}
