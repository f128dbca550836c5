/** Of this program, as package.json has it; a test compares the two, so that nothing has to look for the file. */
export const VERSION = '0.1.0';
