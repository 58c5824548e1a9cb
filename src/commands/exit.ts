/**
 * Exit codes of every command.
 *
 * @module
 */
export const EXIT = { done: 0, notDelivered: 1, usage: 2, otherInstance: 3, noDaemon: 4 } as const;
