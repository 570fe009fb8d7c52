// What the machine in the page is made of. A saved machine can be gone on with
// only by one of the same kind: book/page/save.mjs starts it with these too.
export const OPTIONS = {
  memory_size: 96 * 1024 * 1024,
  vga_memory_size: 2 * 1024 * 1024,
  // Two terminals, and a line on which the page itself speaks.
  uart1: true,
  uart2: true,
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
};
