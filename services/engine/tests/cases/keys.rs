//! Sides that are followed by key, because no row number passes through the statement.

use super::Fixture;

const LEFT: &[u8] = b"id,ref\n1,x\n2,y\n3,z\n,x\n";
const RIGHT: &[u8] = b"id,ref,n\n1,q,1\n2,x,2\n3,y,3\n4,w,4\n";

fn fixture(sql: &str, key: &str) -> Fixture {
    let mut fixture = Fixture::new(LEFT, RIGHT, sql, &[]);
    fixture.job.right.primary_key = key.split(',').map(str::to_owned).collect();
    fixture
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_those_of_the_side() {
    let cases: [(&str, &str, &[i64], &[i64]); 7] = [
        // The condition itself says that what is selected is the key.
        ("SELECT l.ref FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.ref)", "ref", &[2], &[0, 3]),
        (
            "SELECT l.id, l.ref AS name FROM l WHERE l.ref IN (SELECT ref FROM r WHERE n > 2)",
            "ref",
            &[0, 2, 3],
            &[0, 1, 3],
        ),
        ("SELECT ref FROM l INTERSECT SELECT ref FROM r", "ref", &[2], &[0, 3]),
        (
            "SELECT l.id FROM l WHERE l.id = 2 AND EXISTS (SELECT 1 FROM r WHERE l.id = r.id AND r.n = 2)",
            "id",
            &[0, 2, 3],
            &[0, 2, 3],
        ),
        // Of one row of the side, when the key has several columns.
        (
            "SELECT l.id, l.ref FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.ref AND r.id = l.id + 1 AND r.id = l.id) \
             UNION ALL SELECT l.id, l.ref FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.ref AND r.id = l.id)",
            "id,ref",
            &[0, 1, 2, 3],
            &[0, 1, 2, 3],
        ),
        // Whatever branch they come from.
        (
            "SELECT r.ref FROM l JOIN r ON l.ref = r.ref AND r.n = 2 \
             UNION ALL SELECT l.ref FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.ref AND r.n = 3)",
            "ref",
            &[2],
            &[0, 3],
        ),
        // The rows that are written are those that are marked.
        (
            "SELECT ref FROM (SELECT l.ref, row_number() OVER (ORDER BY 1) AS n FROM l \
             WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.ref)) t WHERE n = 3",
            "ref",
            &[0, 1, 2],
            &[0, 2, 3],
        ),
    ];
    for (sql, key, left, right) in cases {
        let (_, answer) = fixture(sql, key).run().await.unwrap_or_else(|e| panic!("{sql}\n{e}"));
        assert_eq!((answer.left.as_slice(), answer.right.as_slice()), (left, right), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_another_table_are_refused() {
    let cases = [
        // `id` of the left side is not the key of the right one.
        ("SELECT l.id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.ref)", "id"),
        ("SELECT l.id AS id FROM l WHERE l.ref IN (SELECT ref FROM r)", "id"),
        // Equal in some rows only.
        ("SELECT l.ref FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.ref) OR l.id = 1", "ref"),
        ("SELECT l.ref FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.ref OR r.n = l.id)", "ref"),
        ("SELECT upper(l.ref) AS ref FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.ref)", "ref"),
        // Of two rows of the side.
        (
            "SELECT l.id, l.ref FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.ref) \
             AND EXISTS (SELECT 1 FROM r WHERE r.id = l.id)",
            "id,ref",
        ),
        // One branch does not know it.
        (
            "SELECT r.ref FROM l JOIN r ON l.ref = r.ref UNION ALL \
             SELECT l.ref FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.n = l.id)",
            "ref",
        ),
    ];
    for (sql, key) in cases {
        let error = fixture(sql, key).refused().await.to_string();
        let column = key.rsplit(',').next().unwrap();
        assert!(error.contains("JOIN") && error.contains(&format!("`r.{column}`")), "{sql}\n{error}");
    }
}
