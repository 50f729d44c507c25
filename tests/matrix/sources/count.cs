using System;
using System.Collections.Generic;
using System.Threading;

public class Count {
  static int Words(int seed) {
    var counts = new SortedDictionary<string, int>();
    for (int i = 0; i < 3000; i++) counts["word" + i * seed % 300] = i;
    return counts.Count;
  }
  public static void Main() {
    int words = Words(7);
    var thread = new Thread(() => words += Words(11));
    thread.Start();
    thread.Join();
    Console.WriteLine(words + " words");
  }
}
