package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A program that {@code java Program.java} runs: its classes are of a loader that only it has. */
class SourceLauncherTest {

    private static final String PROGRAM = """
            import io.raybatch.*;
            import java.util.*;

            public class Program {
                record Point(int n, Color color) {}

                enum Color { RED, GREEN { @Override int rank() { return 2; } }; int rank() { return 1; } }

                static class Node { Node next; Point point = new Point(3, Color.RED); }

                static class Trouble extends RuntimeException { Trouble() { super("trouble"); } }

                static int sum(List<Point> points) {
                    return points.stream().mapToInt(Point::n).sum();
                }

                public static void main(String[] args) throws Exception {
                    try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("16m").build())) {
                        Point point = new Point(1, Color.GREEN);
                        System.out.println(ray.get(ray.put(point)).equals(point));
                        System.out.println(ray.get(ray.put(List.of(point, new Point(2, Color.RED)))));
                        System.out.println(ray.task((List<Point> all) -> sum(all), List.of(point, new Point(2, null))).remote().get());
                        System.out.println(ray.task(() -> new Point(7, Color.RED)).remote().get());
                        Node head = null;
                        for (int n = 0; n < 10_000; n++) {
                            Node node = new Node();
                            node.next = head;
                            head = node;
                        }
                        System.out.println(ray.get(ray.put(head)).next.point);
                        try {
                            ray.task(() -> { throw new Trouble(); }).remote().get();
                        } catch (TaskException e) {
                            System.out.println(e.getCause() instanceof Trouble);
                        }
                        Thread thread = new Thread(() -> System.out.println(ray.get(ray.put(point))));
                        thread.setContextClassLoader(ClassLoader.getPlatformClassLoader());
                        thread.start();
                        thread.join();
                    }
                }
            }
            """;

    @Test
    void its_classes_are_put_and_got(@TempDir Path folder) throws Exception {
        Path program = folder.resolve("Program.java");
        Files.writeString(program, PROGRAM);
        Launch.Result result = Launch.java(List.of(), program.toString());
        assertThat(result.out()).as(result.err()).isEqualTo("""
                true
                [Point[n=1, color=GREEN], Point[n=2, color=RED]]
                3
                Point[n=7, color=RED]
                Point[n=3, color=RED]
                true
                Point[n=1, color=GREEN]
                """);
    }
}
