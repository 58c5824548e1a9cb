/**
 * Options of install-service, uninstall-service and service, each declared once.
 *
 * @module
 */
import { object, or } from "@optique/core/constructs";
import { map, optional, withDefault } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import type { Scope } from "../../services/service.ts";
import { plain } from "../command.ts";

/** `--name N`; undefined is the usual name. */
export const nameOption = optional(
  option("--name", "--service-name", string({ metavar: "NAME" }), {
    description: plain("Name of the service (default: image-transfer, com.observatory.imagetransfer or ImageTransferDaemon)"),
  }),
);

/** `--system` or `--user`; undefined: depends on who calls. */
export const scopeOption = withDefault(
  or(
    map(
      object({
        system: option("--system", {
          description: plain("For the whole computer, from boot, without anyone logged on (default for root)"),
        }),
      }),
      ({ system }): Scope | undefined => system ? "system" : undefined,
    ),
    map(
      object({ user: option("--user", { description: plain("For the calling user (default for everyone else)") }) }),
      ({ user }): Scope | undefined => user ? "user" : undefined,
    ),
  ),
  undefined,
);
