/**
 * Asks a person some questions, one after the other, each until its answer is valid.
 *
 * @module
 */
import type { Answers } from "../../config/show/sample.ts";

/** One question and what becomes of its answer. */
export interface Question {
  readonly key: string;
  /** Null where there is nothing to ask after all. */
  readonly text: string | ((answers: Answers) => Promise<string | null>);
  /** Taken for an empty answer; null where one must be given, "" where none is fine. */
  readonly suggestion: string | null;
  /** Asked only if this is true for the answers so far. */
  readonly when?: (answers: Answers) => boolean;
  /** What is wrong with an answer; null when it is fine. */
  readonly fault: (key: string, answer: string, answers: Answers) => string | null;
  /** A remark about a valid answer; null if there is none. */
  readonly remark?: (answer: string) => Promise<string | null>;
  /** What is meant by a valid answer; null where the key is left out. */
  readonly meaning?: (answer: string) => string | null;
}

/** The answers; those left empty are not in it. Null when the input ended before the last question. */
export async function ask(
  questions: readonly Question[],
  prompt: (question: string) => Promise<string | null>,
  say: (text: string) => void,
): Promise<Answers | null> {
  let answers: Answers = {};
  for (const question of questions) {
    if (question.when && !question.when(answers)) continue;
    const text = typeof question.text === "string" ? question.text : await question.text(answers);
    if (text === null) continue;
    for (;;) {
      const shown = question.suggestion ? `${text} [${question.suggestion}]` : text;
      const given = await prompt(shown);
      if (given === null) return null;
      const answer = given.trim() || question.suggestion;
      if (answer === "") break;
      const fault = answer === null ? "An answer is required." : question.fault(question.key, answer, answers);
      if (fault === null && answer !== null) {
        const meant = question.meaning === undefined ? answer : question.meaning(answer);
        if (meant !== null) answers = { ...answers, [question.key]: meant };
        const remark = await question.remark?.(answer);
        if (remark) say(`${remark}\n`);
        break;
      }
      say(`${fault}\n`);
    }
  }
  return answers;
}
