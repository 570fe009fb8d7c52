"""The windows in which a page is looked at, and what is too wide for one."""

PHONE = {"width": 375, "height": 740}
DESK = {"width": 1280, "height": 900}
NOTEBOOK = {"width": 1366, "height": 768}
PROJECTOR = {"width": 1024, "height": 768}
WALL = {"width": 1920, "height": 1080}

# Whoever is wider than the window, and not inside something that scrolls by itself as code does. The page's
# own frame does not count as such: mdBook lets that scroll both ways.
WIDE = """() => {
    const width = document.documentElement.clientWidth, main = document.querySelector('main');
    const isLoose = (it) => {
        for (let up = it.parentElement; up && up !== main; up = up.parentElement) {
            if (getComputedStyle(up).overflowX !== 'visible') return false;
        }
        return true;
    };
    const all = main ? [...main.querySelectorAll('*')] : [];
    const far = all.filter((it) => it.getBoundingClientRect().right > width + 1 && isLoose(it));
    const names = far.slice(-3).map((it) => it.outerHTML.slice(0, 80)).join(' ');
    const total = document.scrollingElement.scrollWidth;
    return far.length || total > width ? [`${total} px wide in ${width}: ${names}`] : [];
}"""
