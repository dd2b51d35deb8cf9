/** The package has no types of its own, and it need not be installed to compile this one. */
declare module 'better-sqlite3' {
  const Database: unknown;
  export default Database;
}
