// "Predict": the reader chooses an answer, and the kernel in the tab is asked.
// Of the questions of the chapters those that a machine can answer: which
// paragraph of the list it is, what may be chosen, what is typed, and for each
// of the choices what is said where that one is right.
import { element } from "./terminal.js";

const rung = (number, rest) => `cargo run -q -p step${number} -- -q ${rest}`;
const SEGMENTS = "awk -v id=$id '$2 == id { left++ } END { print left + 0, \"left\" }' /proc/sysvipc/shm";
const QUESTIONS = {
  step00: [{
    at: 2, choices: ["none", "sleep alone", "the shell and sleep"],
    type: [rung("00", "sh -c 'sleep 9 & kill -KILL $PPID; wait'"), "ps -e -o args | grep '[s]leep 9'"],
    says: [/Killed(?![^]*^(sh|sleep))/m, /Killed(?![^]*^sh)[^]*^sleep 9/m, /Killed[^]*^sh -c/m],
  }],
  step01: [{
    at: 1, choices: ["cellar", "vm"], type: [rung("01", "sh -c 'hostname cellar; hostname'"), "hostname"],
    says: [/^cellar\s*$(?![^]*^vm)/m, /^vm\s*$/m],
  }],
  step02: [{
    at: 1, choices: ["1", "another one", "none"], type: [rung("02", "grep NSpid /proc/self/status")],
    says: [/^NSpid:\s+1\b/m, /^NSpid:\s+\d{2,}/m, /^NSpid:\s*$/m],
  }, {
    at: 2, choices: ["two or three", "all of the machine"],
    type: [rung("02", "sh -c 'ps -e | wc -l'"), "ps -e | wc -l"],
    says: [/^[2-5]$/m, /^\d{2,}$/m],
  }, {
    at: 3, choices: ["it ends", "nothing"], type: [rung("02", "sh -c 'kill -KILL $$; echo still here'")],
    says: [/^Killed/m, /^still here/m],
  }],
  step05: [{
    at: 1, choices: ["yes", "no"], type: ["sudo unshare --net ping -c 1 127.0.0.1"],
    says: [/ 1 received/, /unreachable/],
  }],
  step06: [{
    at: 1, choices: ["the machine changes, too", "the kernel refuses", "only the container changes"],
    type: ["cat /proc/sys/vm/swappiness", rung("05", "sh -c 'echo 61 >/proc/sys/vm/swappiness'"),
      "cat /proc/sys/vm/swappiness"],
    says: [/^61\s*$(?![^]*\d)/m, /denied/, /^60\s*$(?![^]*\d)/m],
  }, {
    at: 2, choices: ["root", "whoever has started it"], type: [rung("06", "--rootless cat /proc/self/uid_map"), "id -u"],
    says: [/^\s*0\s+0\s/m, /^\s*0\s+1000\s/m],
  }],
  step07: [{
    at: 1, choices: ["refused", "slowed down", "ended, by the kernel"],
    type: [rung("07", "--memory 16M sh -c 'dd if=/dev/zero bs=1M count=40 | tail -c 40000000 | wc -c'; echo status $?")],
    says: [/^status 1$/m, /^40000000$/m, /^status 137$/m],
  }],
  step09: [{
    at: 1, choices: ["it is removed", "it is refused", "there is none, it is told"],
    type: ["id=$(ipcmk -M 4096 | tr -dc 0-9); echo number $id",
      rung("08", "--network none --image / ipcrm -m $id"), SEGMENTS],
    says: [/^0 left/m, /(denied|permitted)[^]*^1 left/m, /invalid id[^]*^1 left/m],
  }],
  step10: [{
    at: 1, choices: ["none", "all"],
    type: ["sudo capsh --caps= -- -c 'grep CapEff /proc/self/status'"],
    says: [/^CapEff:\s+0+$/m, /^CapEff:\s+0*[1-9a-f]/m],
  }],
  step11: [{
    at: 1, choices: ["one inside", "one outside"],
    type: ["cargo run -q -p step11 -- run -q --detach --network none --name asked sleep 1000",
      "cargo run -q -p step11 -- exec asked grep PPid /proc/self/status", "cargo run -q -p step11 -- rm -f asked"],
    says: [/^PPid:\s+[1-9]/m, /^PPid:\s+0$/m],   // a parent outside has no number in there
  }],
};

// Below each of these questions: buttons, and what the kernel says.
export function predict(chapter, questions, ask) {
  for (const { at, choices, type, says } of QUESTIONS[chapter] ?? []) {
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
        const right = says.findIndex((it) => it.test(said));
        const verdict = right === number ? "So it is." : `It is not: ${choices[right]}.`;
        word.replaceChildren(element("b", {}, right < 0 ? "That is no answer." : verdict),
          " Typed, and answered:", element("pre", {}, said.trim()));
      },
    }, choice));
    question.append(element("div", { class: "predict", role: "group", "aria-label": "your answer" }, ...buttons), word);
  }
}
