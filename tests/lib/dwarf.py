"""Debug information made to order, as assembler text: trees of DWARF 4 entries that no compiler at hand writes."""

FORMS = {"name": (0x03, 0x08), "low_pc": (0x11, 0x01), "high_pc": (0x12, 0x07), "stmt_list": (0x10, 0x17), "comp_dir": (0x1b, 0x08),
         "abstract_origin": (0x31, 0x13), "call_file": (0x58, 0x0b), "call_line": (0x59, 0x0b), "inline": (0x20, 0x0b), "language": (0x13, 0x0b)}
TAGS = {"compile_unit": 0x11, "subprogram": 0x2e, "inlined_subroutine": 0x1d, "lexical_block": 0x0b, "catch_block": 0x25,
        "try_block": 0x32, "module": 0x1e, "namespace": 0x39}


class Entry:
    """An entry of the code [start, end) of labels; `more` are further attributes, an abstract_origin is an Entry."""

    def __init__(self, tag, name=None, code=None, children=(), **more):
        self.tag, self.children, self.label = tag, list(children), None
        self.attributes = {**({"name": name} if name else {}), **({"low_pc": code[0], "high_pc": code} if code else {}), **more}


def _value(name, value):
    form = FORMS[name][1]
    if form == 0x08:
        return f'.asciz "{value}"'
    if form == 0x01:
        return f".quad {value}"
    if form == 0x07:
        return f".quad ({value[1]}) - ({value[0]})"
    if form == 0x17:
        return f".long {value}"
    return f".long {value.label} - {value.unit}" if form == 0x13 else f".byte {value}"


def sections(units):
    """.debug_info, .debug_abbrev and .debug_aranges of the units. Entries that are referred to must stand in the
    same unit, before."""
    info, abbrevs, ranges = (['.section .debug_' + name + ',"",@progbits'] for name in ("info", "abbrev", "aranges"))
    count = [0]

    def put(entry, unit):
        count[0] += 1
        entry.label, entry.unit = f".Lentry{count[0]}", unit
        names = list(entry.attributes)
        abbrevs.append(f".uleb128 {count[0]}\n.uleb128 {TAGS[entry.tag]}\n.byte {int(bool(entry.children))}")
        abbrevs.extend(f".uleb128 {FORMS[n][0]}\n.uleb128 {FORMS[n][1]}" for n in names)
        abbrevs.append(".byte 0, 0")
        info.append(f"{entry.label}: .uleb128 {count[0]}")
        info.extend(_value(n, entry.attributes[n]) for n in names)
        for child in entry.children:
            put(child, unit)
        if entry.children:
            info.append(".byte 0")

    for i, unit in enumerate(units):
        info.append(f".Lunit{i}: .long .Lend{i} - .Lversion{i}\n.Lversion{i}: .value 4\n.long .Labbrevs\n.byte 8")
        put(unit, f".Lunit{i}")
        info.append(f".Lend{i}:")
        start, end = unit.attributes["high_pc"]
        ranges.append(f".long 44\n.value 2\n.long .Lunit{i} - .Lunit0\n.byte 8, 0\n.zero 4\n.quad {start}, ({end}) - ({start}), 0, 0")
    abbrevs.insert(1, ".Labbrevs:")
    return "\n".join([*info, *abbrevs, ".byte 0", *ranges, ""])
