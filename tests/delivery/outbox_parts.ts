/**
 * Small looks at the destination in memory, shared by the outbox tests.
 *
 * @module
 */
import type { FakeDestination } from "../support/fake_method.ts";

/** Names of the attempts that have something staged. */
export function stagedAttempts(fake: Pick<FakeDestination, "files">): string[] {
  return [
    ...new Set([...fake.files.keys()].filter((path) => path.startsWith(".image-transfer-")).map((path) => path.split("/")[1]!)),
  ];
}
