"""The buttons in the chapters: "Run it here" and "Answer here"."""

import re

from machine_checks import at_a_prompt, open_page, screen, told

# The transcripts of a chapter's "See it", by its buttons, one after the other.
BUTTONS = """() => {
    const parts = [...document.querySelectorAll('main h2')].map((it) => it.id);
    const all = [...document.querySelectorAll('main pre + button.here')];
    const next = document.getElementById(parts[parts.indexOf('see-it') + 1]);
    const first = document.getElementById('see-it');
    const isAfter = (it, other) => Boolean(other.compareDocumentPosition(it) & Node.DOCUMENT_POSITION_FOLLOWING);
    return all.map((it, at) => [it, at]).filter(([it]) => isAfter(it, first) && !isAfter(it, next)).map(([, at]) => at);
}"""
STEPS = [f"step{number:02}" for number in range(1, 12)]
# The others need a classroom, or somebody's opinion.
ASKED = ["step00", "step01", "step02", "step05", "step06", "step07", "step09", "step10", "step11"]


async def types_its_transcripts(page, step):
    await open_page(page, f"steps/{step}.html")
    buttons = await page.evaluate(BUTTONS)
    assert buttons, "no transcript"
    for at in buttons:
        await page.locator("main pre + button.here").nth(at).click()
        await page.wait_for_function("window.stage?.terminals")
        await page.wait_for_function("/^(That is all|This begins|Something)/.test(document.querySelector('.machine .word').textContent)")
        word = await page.evaluate("document.querySelector('.machine .word').textContent")
        assert word.startswith("That is all"), f"transcript {at}: {word}"
        await page.evaluate("stage.say('')")


async def answers_its_questions(page, step):
    """Each choice of each question is tried: one is what the kernel does, and each other is told so."""
    await open_page(page, f"steps/{step}.html")
    await page.get_by_role("button", name="Answer here").click()
    await page.locator(".predict").nth(0).wait_for()
    for question in range(await page.locator(".predict").count()):
        group, verdicts = page.locator(".predict").nth(question), []
        for choice in range(await group.locator("button").count()):
            await group.locator("button").nth(choice).click()
            await page.wait_for_function(
                f"/^(So it is|It is not|That is no)/.test(document.querySelectorAll('.kernel')[{question}].textContent)"
                f" && !document.querySelectorAll('.predict')[{question}].querySelector('button').disabled")
            verdicts.append(await page.locator(".kernel").nth(question).inner_text())
        right = [it for it in verdicts if it.startswith("So it is")]
        assert len(right) == 1, f"question {question + 1}: {verdicts}"
        print(f"machine: {step}: question {question + 1}: {re.sub(chr(10), ' | ', right[0])[:300]}", flush=True)


async def stops_typing_and_begins_anew(page):
    """Whoever does not want to wait any longer has the terminals back."""
    await open_page(page, "steps/step03.html")
    await page.evaluate("() => { window.lines = [{ isTyped: true, place: 'here', prompt: '$ ', words: 'sleep 1000' }]; }")
    await page.locator("main pre + button.here").nth(0).click()
    await told(page, "That is all")
    for way in ("Stop typing", "Reset"):
        await page.evaluate("() => { window.ran = window.dock.run(window.lines); }")
        await told(page, "sleep 1000")
        await page.get_by_role("button", name=way).click()
        await page.evaluate("window.ran")
        if way == "Stop typing":
            await told(page, "Stopped")
            await page.locator(".window textarea").nth(0).focus()
            await page.keyboard.press("Control+c")
        await at_a_prompt(page)
    await page.evaluate("() => window.dock.run([{ isTyped: true, place: 'here', prompt: '$ ', words: 'echo =$((1+1))' }])")
    assert "=2" in await page.evaluate(screen(0))
