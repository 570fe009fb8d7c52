// "Predict": the reader chooses an answer, and the kernel in the tab is asked.
// Of the questions of the chapters those that a machine can answer: which
// paragraph of the list it is, what may be chosen, what is typed, and which of
// the choices the answer means.
import { element } from "./terminal.js";

const rung = (number, rest) => `cargo run -q -p step${number} -- -q ${rest}`;
const QUESTIONS = {
  step00: [{
    at: 2, choices: ["none", "sleep alone", "the shell and sleep"],
    type: [rung("00", "sh -c 'sleep 9 & kill -KILL $PPID; wait'"), "ps -e -o args | grep '[s]leep 9'"],
    means: (said) => /^sh -c/m.test(said) ? 2 : /^sleep 9/m.test(said) ? 1 : 0,
  }],
  step01: [{
    at: 1, choices: ["cellar", "vm"], type: [rung("01", "sh -c 'hostname cellar; hostname'"), "hostname"],
    means: (said) => said.trim().split("\n").at(-1) === "cellar" ? 0 : 1,
  }],
  step02: [{
    at: 1, choices: ["1", "another one", "none"], type: [rung("02", "grep NSpid /proc/self/status")],
    means: (said) => Number(/NSpid:\s+(\d+)/.exec(said)?.[1]) > 1 ? 1 : /NSpid:\s+1\b/.test(said) ? 0 : 2,
  }, {
    at: 2, choices: ["two or three", "all of the machine"],
    type: [rung("02", "sh -c 'ps -e | wc -l'"), "ps -e | wc -l"],
    means: (said) => Number(/^\d+$/m.exec(said)?.[0]) > 5 ? 1 : 0,
  }, {
    at: 3, choices: ["it ends", "nothing"], type: [rung("02", "sh -c 'kill -KILL $$; echo still here'")],
    means: (said) => said.includes("still here") ? 1 : 0,
  }],
  step05: [{
    at: 1, choices: ["yes", "no"], type: ["sudo unshare --net ping -c 1 127.0.0.1"],
    means: (said) => said.includes("1 received") ? 0 : 1,
  }],
  step06: [{
    at: 1, choices: ["the machine changes, too", "the kernel refuses", "only the container changes"],
    type: ["cat /proc/sys/vm/swappiness", rung("05", "sh -c 'echo 61 >/proc/sys/vm/swappiness'"),
      "cat /proc/sys/vm/swappiness"],
    means: (said) => said.includes("denied") ? 1 : said.trim().endsWith("61") ? 0 : 2,
  }, {
    at: 2, choices: ["root", "whoever has started it"], type: [rung("06", "--rootless cat /proc/self/uid_map"), "id -u"],
    means: (said) => /^\s*0\s+0\s/m.test(said) ? 0 : 1,
  }],
  step07: [{
    at: 1, choices: ["refused", "slowed down", "ended, by the kernel"],
    type: [rung("07", "--memory 16M sh -c 'dd if=/dev/zero bs=1M count=40 | tail -c 40000000 | wc -c'; echo status $?")],
    means: (said) => said.includes("status 137") ? 2 : said.includes("40000000") ? 1 : 0,
  }],
  step09: [{
    at: 1, choices: ["it is removed", "it is refused", "there is none, it is told"],
    type: ["ipcmk -M 4096; ipcs -m | grep -c 0x", rung("08", "--network none ipcrm -m 0"), "ipcs -m | grep -c 0x"],
    means: (said) => said.trim().endsWith("\n0") ? 0 : /denied|permitted/.test(said) ? 1 : 2,
  }],
  step10: [{
    at: 1, choices: ["none", "all"],
    type: ["sudo capsh --caps= -- -c 'grep CapEff /proc/self/status'"],
    means: (said) => /CapEff:\s+0+$/m.test(said) ? 0 : 1,
  }],
  step11: [{
    at: 1, choices: ["one inside", "one outside"],
    type: ["cargo run -q -p step11 -- run -q --detach --network none --name asked sleep 1000",
      "cargo run -q -p step11 -- exec asked grep PPid /proc/self/status", "cargo run -q -p step11 -- rm -f asked"],
    means: (said) => /PPid:\s+0$/m.test(said) ? 1 : 0,   // its parent has no number in there
  }],
};

// Below each of these questions: buttons, and what the kernel says.
export function predict(chapter, questions, ask) {
  for (const { at, choices, type, means } of QUESTIONS[chapter] ?? []) {
    const question = questions.children[at - 1];
    if (!question) continue;
    const word = element("p", { class: "kernel", role: "status" });
    const buttons = choices.map((choice, number) => element("button", {
      type: "button", class: "here", onclick: async () => {
        buttons.forEach((it) => { it.disabled = true; });
        word.textContent = "The kernel in this page is asked…";
        const said = await ask(type);
        buttons.forEach((it) => { it.disabled = false; });
        if (said === undefined) {
          word.textContent = "";
          return;
        }
        const right = means(said);
        word.replaceChildren(element("b", {}, right === number ? "So it is." : `It is not: ${choices[right]}.`),
          " Typed, and answered:", element("pre", {}, said.trim()));
      },
    }, choice));
    question.append(element("div", { class: "predict", role: "group", "aria-label": "your answer" }, ...buttons), word);
  }
}
