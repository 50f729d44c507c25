import java.util.TreeMap;

public class Count {
  public static void main(String[] args) throws Exception {
    TreeMap<String, Integer> counts = new TreeMap<>();
    for (int i = 0; i < 30000; i++) counts.merge("word" + i * 7 % 300, 1, Integer::sum);
    Process child = new ProcessBuilder("sort", "--version").redirectErrorStream(true).start();
    byte[] out = child.getInputStream().readAllBytes();
    System.out.println(counts.size() + " words " + (out.length > 0) + " " + child.waitFor());
    System.exit(5);
  }
}
