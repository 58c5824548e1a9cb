/**
 * The server of a configuration.
 *
 * @module
 */
import type { PocketbaseSettings, Settings } from "../config/settings.ts";
import { Failure } from "../domain/failure.ts";

/** @throws {Failure} where no server is configured. */
export function pocketbaseOf({ pocketbase }: Settings): PocketbaseSettings {
  if (pocketbase !== null) return pocketbase;
  throw new Failure("configuration", "No PocketBase server is configured", {
    hint: "Add: pocketbase: { url: https://pocketbase.example, admin_email: …, admin_password_file: … }",
  });
}
