import std.conv, std.stdio;

void main() {
  int[string] counts;
  foreach (i; 0 .. 3000) counts["word" ~ to!string(i * 7 % 300)]++;
  writeln(counts.length, " words");
}
