/**
 * Every command there is, in the order of the help; each is loaded when it is named: a daemon does not need the others. A new command is one
 * file with a `defineCommand()` and one line here. `run` also answers when no command is named.
 */
import type { CommandList } from "./command.ts";

/** By name, in the order of the help. */
export const COMMANDS: CommandList = {
  run: async () => (await import("./run.ts")).run,
  start: async () => (await import("./run.ts")).start,
  watch: async () => (await import("./watch.ts")).watch,
  copy: async () => (await import("./watch.ts")).copy,
  status: async () => (await import("./status.ts")).status,
  stop: async () => (await import("./stop.ts")).stop,
  restart: async () => (await import("./stop.ts")).restart,
  reload: async () => (await import("./stop.ts")).reload,
  sync: async () => (await import("./sync.ts")).sync,
  retry: async () => (await import("./retry.ts")).retry,
  forget: async () => (await import("./retry.ts")).forget,
  pause: async () => (await import("./pause.ts")).pause,
  resume: async () => (await import("./pause.ts")).resume,
  history: async () => (await import("./history.ts")).history,
  report: async () => (await import("./report.ts")).report,
  logs: async () => (await import("./logs.ts")).logs,
  open: async () => (await import("./open.ts")).open,
  verify: async () => (await import("./verify.ts")).verify,
  audit: async () => (await import("./audit.ts")).audit,
  doctor: async () => (await import("./doctor.ts")).doctor,
  init: async () => (await import("./init.ts")).init,
  config: async () => (await import("./config.ts")).config,
  pocketbase: async () => (await import("./pocketbase.ts")).pocketbase,
  fleet: async () => (await import("./fleet.ts")).fleet,
  "install-service": async () => (await import("./install_service.ts")).installService,
  "uninstall-service": async () => (await import("./service.ts")).uninstallService,
  install: async () => (await import("./install_service.ts")).installAlias,
  uninstall: async () => (await import("./service.ts")).uninstallAlias,
  service: async () => (await import("./service.ts")).service,
  demo: async () => (await import("./demo.ts")).demo,
};
