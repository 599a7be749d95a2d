/** Postern's version, as package.json has it; a test keeps the two in step. */
export const version = '0.1.0'
