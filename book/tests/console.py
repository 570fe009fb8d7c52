"""Transcripts, as a reader meets them: what the copy button gives. Each check
opens the page of a step, and has a line to spoil, on which it must fail: see
site.py.
"""

PAGE = "steps/step03.html"
BUILT = "theme/console-*.js"


def copied(page, words):
    """Clicks the button of the first block with these words, and pastes what arrived into a field."""
    block = page.locator("main pre", has_text=words).first
    block.hover()
    block.locator(".clip-button").click()
    page.evaluate("""() => {
        document.querySelector('#arrived')?.remove();
        const field = document.createElement('textarea');
        field.id = 'arrived';
        document.querySelector('main').prepend(field);
        field.focus();
    }""")
    page.keyboard.press("ControlOrMeta+V")
    return page.input_value("#arrived")


def expect(found, wanted):
    assert found == wanted, f"what arrived is {found!r}, and not {wanted!r}"


def copies_commands(page):
    # Answers stay behind, and so do the prompts of both terminals.
    expect(copied(page, "2$ cat target/rootfs/note"),
           "cat target/rootfs/note\npid=$(pgrep -nx sh)\nps -o pid,user,args -p $pid\nsudo ls /proc/$pid/root\n"
           "sudo cut -d ' ' -f 5,9 /proc/$pid/mountinfo\n")


def copies_what_is_typed_inside(page):
    expect(copied(page, "step03 # rm /note"), "rm /note\nexit\n")


def copies_lines_that_go_on(page):
    # As typed, with the blanks that a script begins with.
    expect(copied(page, "cat >/tmp/escape"),
           "cat >/tmp/escape <<'EOF'\nmkdir -p /x\nnsenter -r/x bin/sh -c '\n"
           "  for i in 1 2 3 4 5 6 7 8 9; do cd -P .. ; done\n  chroot . ls -d /boot /etc/shadow'\nEOF\n"
           "sudo chroot target/rootfs sh </tmp/escape\n")


def copies_all_of_other_code(page):
    whole = page.locator("main pre code.language-diff, main pre code.language-rust").first.inner_text()
    expect(copied(page, whole.splitlines()[0]).strip(), whole.strip())


# Each with a line to spoil, on which it must fail: file, text, and what then stands there.
CHECKS = {
    copies_commands: (BUILT, "lines.filter((line) => line.isTyped", "lines.filter((line) => true"),
    copies_what_is_typed_inside: (BUILT, "|step", "|stop"),
    copies_lines_that_go_on: (BUILT, "const goesOn = isOpen", "const goesOn = !isOpen"),
    copies_all_of_other_code: (BUILT, "?? whole(pre, hidden)", '?? ""'),
}
