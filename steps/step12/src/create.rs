//! `step12 create`: step11's run.rs, with a file in place of the flags. What
//! it makes waits at the gate, and is left to whoever has called.

use std::os::fd::AsFd;

use step00::{Command, Gate, Process, Result, Running};

use crate::flags::{Create, Host};
use crate::launcher::{Agent, Bundle, Claim, Console};
use crate::launcher::{descriptors, look, network, through};
use crate::mounts::{self, Sources};
use crate::namespaces::{self, Namespaces};
use crate::process::Attributes;

/// Makes a container that waits at its gate. With `stays` the launcher does
/// not end before it, and its terminal is the launcher's.
///
/// # Errors
/// For what config.json cannot have, and for what the kernel refuses. Nothing
/// is left then.
// ANCHOR: create
pub fn create(
    name: &'static str,
    host: &Host,
    args: &Create,
    stays: bool,
) -> Result<Running> {
    descriptors::keep_back(args.no_new_keyring)?;
    let bundle = Bundle::open(args)?;
    let (config, process) = (&bundle.config, &bundle.process);
    let command = process.command();
    let console = Console::find(&args.caller, process, stays)?;
    let agent = Agent::new(config)?;
    let attributes = Attributes::read(config, process, &host.log)?;
    let sources = Sources::open(config, &bundle.folder)?;
    let namespaces = Namespaces::open(config)?;
    let mut claim = Claim::new(host, args, &bundle, sources.mounted()?)?;
    let group = claim.make_group()?;
    let doors = claim.open_doors()?;
    let (gate, words) = claim.make_gate()?;

    let mut stage = through::stage(name, &command);
    namespaces.set_stage(&mut stage);
    stage.cgroup = group.as_ref().map(AsFd::as_fd);
    stage.own_terminal = console.is_ours();
    stage.hooks.before_exec.push(through::leave_launcher);

    // What the launcher does while the new process waits.
    let outside = |process: &Process| {
        claim.enter_group(process)?;
        namespaces::write_maps(process, config)?;
        attributes.set_outside(process)?;
        network::move_devices(process, config)
    };

    // And when the process asks for it: the hooks, or what an agent is to know.
    let asked = |process: &Process| claim.answer(process, &agent);
    stage.hooks.asked = Some(&asked);

    // What the new process does before it waits at the gate.
    let inside = |stage_gate: &Gate| {
        doors.walk_in()?;
        namespaces::put_on(config)?;
        network::bring_up(config)?;
        let new_root = mounts::furnish(&sources)?;
        stage_gate.ask()?;
        claim.run_inner_hooks()?;
        console.open(&new_root, process.console_size)?;
        mounts::enter(&sources, &new_root, args.no_pivot)?;
        namespaces::set_names(config)?;
        mounts::finish(&sources, new_root)?;
        console.attach(process.user.uid)?;
        let kept: [&dyn AsFd; 3] = [stage_gate, &gate, &words];
        descriptors::close(&kept, &agent, &args.caller)?;
        attributes.set_inside()?;
        agent.filter_early(process, stage_gate)?;
        attributes.become_user()?;
        look::look(&command)?;
        agent.filter_late(process, stage_gate)
    };

    // And then: it waits at the gate, for `start`.
    let go = |it: &Command| through::go(&gate, &words, &claim, &agent, it);
    stage.hooks.exec = &go;

    let running = stage.start(outside, inside, &[])?;
    claim.keep(&running)?;
    Ok(running)
}
// ANCHOR_END: create
